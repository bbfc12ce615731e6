//! Passes per second with many sessions.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use blockspan_engine::Kernels;
use blockspan_reader::{Job, Reader, SharedModel};
use serde::Serialize;

use super::measure::median;
use crate::runtime::remedy;

/// How often one session and many take turns, so that a machine whose speed changes is fair to both.
const ROUNDS: usize = 3;

/// Passages of one window each, answered by the reader: tokenizing and choosing spans are included.
#[derive(Serialize)]
pub struct Throughput {
    pub tokens: usize,
    /// Sessions of one thread each.
    pub sessions: usize,
    /// Medians of [`ROUNDS`] rounds.
    pub one_session_per_second: f64,
    pub per_second: f64,
    /// The second by the first.
    pub ratio: f64,
}

/// Times `repeat` passes for each session, with one and with many.
pub fn throughput(
    model: &SharedModel,
    kernels: &'static dyn Kernels,
    tokens: usize,
    sessions: usize,
    repeat: usize,
) -> Result<Throughput> {
    let reader = |sessions: usize| {
        let builder = Reader::builder(model.clone()).threads(sessions).max_seq_len(tokens);
        builder.kernels(kernels).build().map_err(remedy)
    };
    let readers = [reader(1)?, reader(sessions)?];
    // A mark is a token, whatever the vocabulary is; beside the passage there are the question and three special tokens.
    let passage: Arc<str> = ".".repeat(tokens.saturating_sub(4)).into();
    let job = Job::new("?", passage);
    let mut speeds = [Vec::new(), Vec::new()];
    for round in 0..=ROUNDS {
        for (reader, speeds) in readers.iter().zip(&mut speeds) {
            let passes = repeat * reader.sessions();
            let begin = Instant::now();
            let mut windows = 0;
            for reply in reader.answer_many((0..passes).map(|_| job.clone())) {
                windows += reply?.windows;
            }
            // The first round only warms up.
            if round > 0 {
                speeds.push(windows as f64 / begin.elapsed().as_secs_f64());
            }
        }
    }
    let [one_session_per_second, per_second] = speeds.map(|speeds| median(&speeds));
    let ratio = per_second / one_session_per_second;
    Ok(Throughput { tokens, sessions, one_session_per_second, per_second, ratio })
}
