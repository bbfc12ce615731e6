//! Ctrl-C and SIGTERM, as something a loop can ask for.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::io;
use std::sync::Arc;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// Tells whether somebody asked the run to stop.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    signal: Arc<AtomicUsize>,
}

impl Interrupt {
    /// Listens for Ctrl-C (SIGINT) and SIGTERM. The first asks, a second one ends the process at once.
    ///
    /// # Errors
    /// A system that does not let signals be handled.
    pub fn on_signals() -> io::Result<Self> {
        let interrupt = Interrupt::default();
        let second = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            flag::register_conditional_shutdown(signal, exit_status(signal as usize), Arc::clone(&second))?;
            flag::register(signal, Arc::clone(&second))?;
            flag::register_usize(signal, Arc::clone(&interrupt.signal), signal as usize)?;
        }
        Ok(interrupt)
    }

    /// Asks, as the signal of this number would.
    pub fn raise(&self, signal: usize) {
        self.signal.store(signal, Ordering::Relaxed);
    }

    /// The number of the signal that came.
    pub fn signal(&self) -> Option<usize> {
        Some(self.signal.load(Ordering::Relaxed)).filter(|&signal| signal != 0)
    }
}

/// What a process that a signal ended exits with: 128 more than the signal's number.
pub fn exit_status(signal: usize) -> i32 {
    128 + signal as i32
}
