//! The clock and the memory.

use core::hint::black_box;
use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use blockspan_engine::{Model, Session};
use blockspan_kernels::peak;
use serde::Serialize;

use super::report::Work;
use crate::model_source::ModelSource;
use crate::runtime::Machine;

/// Passes before the first that counts.
const WARM_UP: usize = 3;

/// How often a start is repeated; each maps the file anew and takes new memory.
const STARTS: usize = 5;

/// Forward passes in steady state.
#[derive(Serialize)]
pub struct Run {
    pub tokens: usize,
    pub threads: usize,
    pub median_ms: f64,
    pub min_ms: f64,
    /// What the multiplications alone would take at the peak of the machine, measured just before; where that is known.
    pub floor_ms: Option<f64>,
    /// `min_ms` as a multiple of it.
    pub times_floor: Option<f64>,
    /// In the order of the passes.
    pub times_ms: Vec<f64>,
}

/// From nothing to the first result: medians of [`STARTS`] starts, the file in the page cache.
#[derive(Serialize)]
pub struct Start {
    pub tokens: usize,
    pub threads: usize,
    /// Opening and mapping the file.
    pub map_ms: f64,
    /// `Model::parse`, which checks everything.
    pub parse_ms: f64,
    /// Workspace and session.
    pub session_ms: f64,
    /// The first forward pass.
    pub pass_ms: f64,
    /// All of them.
    pub total_ms: f64,
    /// `total_ms` less the median of a pass in steady state.
    pub extra_ms: f64,
    /// The workspace: `Model::workspace_len`.
    pub workspace_bytes: usize,
    /// Memory that this process alone has and that is in no file, after the first start (Linux).
    pub private_bytes: Option<usize>,
}

impl Start {
    /// Opens the model at `path` and runs one pass, several times over.
    pub fn measure(path: Option<&Path>, machine: &Machine, tokens: usize) -> Result<Self> {
        let mut times = [const { Vec::new() }; 5];
        let (mut workspace_bytes, mut private_bytes) = (0, None);
        for start in 0..STARTS {
            let begin = Instant::now();
            let source = ModelSource::open(path)?;
            let mapped = begin.elapsed();
            let model = source.parse()?;
            let parsed = begin.elapsed();
            let mut workspace = machine.workspace(&model, tokens)?;
            workspace_bytes = workspace.len();
            let mut session = Session::with(&model, tokens, &mut workspace, machine.runtime())?;
            let made = begin.elapsed();
            let ids = ids(&model, tokens);
            black_box(session.logits(&ids)?);
            let done = begin.elapsed();
            let parts = [mapped, parsed - mapped, made - parsed, done - made, done];
            times.iter_mut().zip(parts).for_each(|(times, part)| times.push(1e3 * part.as_secs_f64()));
            if start == 0 {
                private_bytes = private_memory();
            }
        }
        let [map_ms, parse_ms, session_ms, pass_ms, total_ms] = times.map(|times| median(&times));
        Ok(Self {
            tokens,
            threads: machine.threads(),
            map_ms,
            parse_ms,
            session_ms,
            pass_ms,
            total_ms,
            extra_ms: 0.0,
            workspace_bytes,
            private_bytes,
        })
    }

    /// Fills `extra_ms` in.
    pub fn compare(&mut self, runs: &[Run]) {
        let same = runs.iter().find(|run| (run.tokens, run.threads) == (self.tokens, self.threads));
        self.extra_ms = self.total_ms - same.map_or(0.0, |run| run.median_ms);
    }
}

/// Times `repeat` passes over as many tokens as `work` is for.
pub fn latency(model: &Model<'_>, machine: &Machine, work: &Work, repeat: usize) -> Result<Run> {
    let tokens = work.tokens;
    // Clock rates change, so the peak is measured beside each run.
    let per_core = peak::dot_products(machine.isa());
    let floor_ms = per_core.map(|per_core| 1e12 * work.total() / (per_core * machine.threads() as f64));
    let mut workspace = machine.workspace(model, tokens)?;
    let mut session = Session::with(model, tokens, &mut workspace, machine.runtime())?;
    let ids = ids(model, tokens);
    for _ in 0..WARM_UP {
        black_box(session.logits(&ids)?);
    }
    let mut times_ms = Vec::with_capacity(repeat);
    for _ in 0..repeat {
        let begin = Instant::now();
        black_box(session.logits(&ids)?);
        times_ms.push(1e3 * begin.elapsed().as_secs_f64());
    }
    let min_ms = times_ms.iter().copied().fold(f64::INFINITY, f64::min);
    Ok(Run {
        tokens,
        threads: machine.threads(),
        median_ms: median(&times_ms),
        min_ms,
        floor_ms,
        times_floor: floor_ms.map(|floor_ms| min_ms / floor_ms),
        times_ms,
    })
}

/// A sequence from all over the vocabulary; what it says does not change the time.
fn ids(model: &Model<'_>, tokens: usize) -> Vec<(u32, u32)> {
    let config = model.config();
    let segment = |at: usize| u32::from(at > 12 && config.token_types > 1);
    (0..tokens).map(|at| (((at * 7919) % config.vocab) as u32, segment(at))).collect()
}

/// The one in the middle; 0 for none.
pub fn median(times: &[f64]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    match sorted.len() {
        0 => 0.0,
        count if count.is_multiple_of(2) => (sorted[half - 1] + sorted[half]) / 2.0,
        _ => sorted[half],
    }
}

/// Pages that are in no file: heap, stacks, data that was written. (`Private_Dirty` would not do: it counts pages of a
/// file that was written a moment ago and is not on the disk yet, a model fresh from `pack` say.)
fn private_memory() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Anonymous:"))?;
    Some(1024 * line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn medians() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), 2.5);
    }
}
