//! How far a long command is, on stderr.

use core::time::Duration;
use std::io::{self, IsTerminal, Write};
use std::time::Instant;

/// The least time between two updates.
const PAUSE: Duration = Duration::from_millis(200);

/// A line that is overwritten as the work goes on; silent unless stderr is a terminal.
pub struct Progress {
    of: Of,
    done: usize,
    start: Instant,
    shown: Option<Instant>,
    terminal: bool,
}

/// What is known of the whole.
enum Of {
    Questions(usize),
    /// Bytes of the input: of all of it, where the work began, and where it is.
    Bytes {
        total: Option<u64>,
        start: u64,
        at: u64,
    },
}

impl Progress {
    /// Begins now, with so many questions before it.
    pub fn new(total: usize) -> Self {
        Self::of(Of::Questions(total))
    }

    /// Begins now at `start` of so many bytes of questions.
    pub fn of_bytes(total: Option<u64>, start: u64) -> Self {
        Self::of(Of::Bytes { total, start, at: start })
    }

    fn of(of: Of) -> Self {
        Self { of, done: 0, start: Instant::now(), shown: None, terminal: io::stderr().is_terminal() }
    }

    /// One more question is done.
    pub fn step(&mut self) {
        self.done += 1;
        if self.terminal && self.shown.is_none_or(|shown| shown.elapsed() >= PAUSE) {
            self.shown = Some(Instant::now());
            let line = self.line(self.start.elapsed().as_secs_f64());
            let _ = write!(io::stderr(), "\r{line}\x1b[K");
        }
    }

    /// One more question is done, at whose end the input is at `position`.
    pub fn step_to(&mut self, position: u64) {
        if let Of::Bytes { at, .. } = &mut self.of {
            *at = position;
        }
        self.step();
    }

    /// Questions per second so far.
    pub fn per_second(&self) -> f64 {
        self.done as f64 / self.start.elapsed().as_secs_f64().max(1e-9)
    }

    /// After so many seconds.
    fn line(&self, elapsed: f64) -> String {
        let done = self.done;
        let speed = done as f64 / elapsed.max(1e-9);
        match self.of {
            Of::Questions(total) => {
                let left = total.saturating_sub(done) as f64 / speed;
                format!("{done}/{total}  {speed:.1} questions/s  {} left", time(left))
            }
            Of::Bytes { total: Some(total), start, at } if at > start => {
                let left = elapsed * total.saturating_sub(at) as f64 / (at - start) as f64;
                let percent = 100.0 * at.min(total) as f64 / total.max(1) as f64;
                format!("{done} ({percent:.0} %)  {speed:.1} questions/s  {} left", time(left))
            }
            Of::Bytes { .. } => format!("{done}  {speed:.1} questions/s"),
        }
    }
}

/// Seconds in the units that people use.
fn time(seconds: f64) -> String {
    let minutes = (seconds / 60.0).round();
    if seconds < 120.0 {
        format!("{seconds:.0} s")
    } else if minutes < 120.0 {
        format!("{minutes:.0} min")
    } else {
        format!("{:.0} h {:.0} min", (minutes / 60.0).floor(), minutes % 60.0)
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

#[cfg(test)]
mod tests {
    use super::{Progress, time};

    #[test]
    fn the_line_has_rate_and_time_left() {
        let mut progress = Progress::new(400);
        (0..100).for_each(|_| progress.step());
        assert_eq!(progress.line(10.0), "100/400  10.0 questions/s  30 s left");

        // A quarter was there before; half of the rest took 50 s.
        let mut progress = Progress::of_bytes(Some(4000), 1000);
        (1..=10).for_each(|step| progress.step_to(1000 + 150 * step));
        assert_eq!(progress.line(50.0), "10 (62 %)  0.2 questions/s  50 s left");

        let mut pipe = Progress::of_bytes(None, 0);
        pipe.step_to(10);
        assert_eq!(pipe.line(2.0), "1  0.5 questions/s");
    }

    #[test]
    fn times_are_in_the_units_that_people_use() {
        assert_eq!([3.4, 119.0, 120.0, 3601.0].map(time), ["3 s", "119 s", "2 min", "60 min"]);
        assert_eq!(time(11_100.0), "3 h 5 min");
    }
}
