//! How far a long command is, on stderr.

use core::time::Duration;
use std::io::{self, IsTerminal, Write};
use std::time::Instant;

/// The least time between two updates.
const PAUSE: Duration = Duration::from_millis(200);

/// A line that is overwritten as the work goes on; silent unless stderr is a terminal.
pub struct Progress {
    total: usize,
    done: usize,
    start: Instant,
    shown: Option<Instant>,
    terminal: bool,
}

impl Progress {
    /// Begins now.
    pub fn new(total: usize) -> Self {
        Self { total, done: 0, start: Instant::now(), shown: None, terminal: io::stderr().is_terminal() }
    }

    /// One more question is done.
    pub fn step(&mut self) {
        self.done += 1;
        if self.terminal && self.shown.is_none_or(|shown| shown.elapsed() >= PAUSE) {
            self.shown = Some(Instant::now());
            let left = (self.total.saturating_sub(self.done)) as f64 / self.per_second();
            let (done, total, speed) = (self.done, self.total, self.per_second());
            let _ = write!(io::stderr(), "\r{done}/{total}  {speed:.1} questions/s  {left:.0} s left\x1b[K");
        }
    }

    /// Questions per second so far.
    pub fn per_second(&self) -> f64 {
        self.done as f64 / self.start.elapsed().as_secs_f64().max(1e-9)
    }
}

impl Drop for Progress {
    /// Clears the line.
    fn drop(&mut self) {
        if self.shown.is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
