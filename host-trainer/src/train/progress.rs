//! What a run tells while it goes: a bar on a terminal, else a line now and then.

use core::time::Duration;
use std::io::IsTerminal;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};

/// Steps between two lines when stderr is not a terminal.
const STEPS_PER_LINE: usize = 20;

/// Smooths the loss: the weight of the newest step.
const NEWEST: f64 = 0.05;

/// Loss, speed and time left of a run.
pub struct Progress {
    bar: Option<ProgressBar>,
    start: Instant,
    loss: Option<f64>,
    tokens: usize,
}

/// The bar's length: it counts progress, which may be bounded by time rather than by steps.
const UNITS: u64 = 10_000;

impl Progress {
    /// Begins now.
    pub fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{bar:30} {percent:>3} % {msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(UNITS).with_style(style)
        });
        Progress { bar, start: Instant::now(), loss: None, tokens: 0 }
    }

    /// Tells of one step: its number, the share of the run that is done, its loss and tokens.
    pub fn step(&mut self, step: usize, done: f64, loss: f64, tokens: usize, rate: f64) {
        self.tokens += tokens;
        let smooth = self.loss.map_or(loss, |old| old + NEWEST * (loss - old));
        self.loss = Some(smooth);
        let elapsed = self.start.elapsed().as_secs_f64();
        let speed = self.tokens as f64 / elapsed.max(1e-9);
        let left = if done > 0.0 { elapsed * (1.0 - done) / done } else { 0.0 };
        let message =
            format!("loss {smooth:.4}  {speed:.0} tokens/s  {} left  lr {rate:.2e}", duration(left));
        match &self.bar {
            Some(bar) => {
                bar.set_position((done * UNITS as f64) as u64);
                bar.set_message(message);
            }
            None if step.is_multiple_of(STEPS_PER_LINE) => {
                eprintln!("step {step}  {:.1} %  {message}", 100.0 * done);
            }
            None => {}
        }
    }

    /// Prints a line of its own.
    pub fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => eprintln!("{text}"),
        }
    }

    /// The smoothed loss.
    pub fn loss(&self) -> Option<f64> {
        self.loss
    }

    /// Removes the bar.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

/// Hours, minutes and seconds.
fn duration(seconds: f64) -> String {
    let seconds = Duration::from_secs_f64(seconds.clamp(0.0, 1e9)).as_secs();
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}
