//! What a run shows while it goes: a bar on a terminal, else a line now and then.

use core::time::Duration;
use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

use crate::output;

/// Steps between two lines when stderr is not a terminal.
const STEPS_PER_LINE: usize = 20;

/// The bar's length: it counts progress, which may be bounded by time rather than by steps.
const UNITS: u64 = 10_000;

/// Where a run stands after a step.
#[derive(Clone, Copy, Debug)]
pub struct Status {
    /// Steps taken.
    pub step: usize,
    /// The share of the run that is done, 0 to 1.
    pub done: f64,
    /// Seconds left, by the speed so far.
    pub left: f64,
    /// The smoothed loss.
    pub loss: f64,
    /// The learning rate.
    pub rate: f64,
    /// Tokens a second, since the run began or was resumed.
    pub speed: f64,
    /// The share of the encoder's weights that is pruned.
    pub sparsity: f64,
}

/// Shows where a run stands.
pub struct Progress {
    bar: Option<ProgressBar>,
    silent: bool,
}

impl Progress {
    /// Begins. A silent one shows nothing.
    pub fn new(silent: bool) -> Self {
        let bar = (!silent && std::io::stderr().is_terminal()).then(|| {
            let style = ProgressStyle::with_template("{bar:24} {percent:>3} % {msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(UNITS).with_style(style)
        });
        Progress { bar, silent }
    }

    /// Shows one step.
    pub fn step(&self, status: &Status) {
        let Status { step, done, left, loss, rate, speed, sparsity } = *status;
        let mut message = format!("loss {loss:.4}  lr {rate:.2e}  {speed:.0} tokens/s");
        if sparsity > 0.0 {
            message += &format!("  {:.1} % pruned", 100.0 * sparsity);
        }
        message += &format!("  {} left", duration(left));
        match &self.bar {
            Some(bar) => {
                bar.set_position((done * UNITS as f64) as u64);
                bar.set_message(message);
            }
            None if step.is_multiple_of(STEPS_PER_LINE) => {
                self.line(&format!("step {step}  {:.1} %  {message}", 100.0 * done));
            }
            None => {}
        }
    }

    /// Prints a line of its own. A failure to print is none of the run.
    pub fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None if !self.silent => output::note(text),
            None => {}
        }
    }

    /// Removes the bar.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Hours, minutes and seconds.
pub(super) fn duration(seconds: f64) -> String {
    let seconds = Duration::from_secs_f64(seconds.clamp(0.0, 1e9)).as_secs();
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}
