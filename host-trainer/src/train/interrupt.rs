//! Ctrl-C and SIGTERM, as something a loop can ask for.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;
use std::{io, thread};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level;

/// Signals within this time are one request: `timeout` signals a process and then its whole group, and a terminal that
/// closes sends more than one.
const ONE_REQUEST: Duration = Duration::from_secs(1);

/// Tells whether somebody asked the run to stop.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    signal: Arc<AtomicUsize>,
}

impl Interrupt {
    /// Listens for Ctrl-C (SIGINT) and SIGTERM. The first asks; one that comes a second or more after it ends the process
    /// at once.
    ///
    /// # Errors
    /// A system that does not let signals be handled.
    pub fn on_signals() -> io::Result<Self> {
        let interrupt = Interrupt::default();
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        let asked = Arc::clone(&interrupt.signal);
        let listen = move || {
            let mut first: Option<Instant> = None;
            for signal in signals.forever() {
                match first {
                    None => {
                        first = Some(Instant::now());
                        asked.store(signal as usize, Ordering::Relaxed);
                    }
                    Some(first) if first.elapsed() < ONE_REQUEST => {}
                    Some(_) => low_level::exit(exit_status(signal as usize)),
                }
            }
        };
        thread::Builder::new().name("signals".into()).spawn(listen)?;
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
