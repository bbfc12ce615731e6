//! What was measured, as text and as JSON.

use core::fmt::Write;

use blockspan_engine::Model;
use serde::Serialize;

use super::measure::{Run, Start};
use super::throughput::Throughput;
use crate::output::printable;

/// The JSON of `bench --json`; `README.md` documents it.
#[derive(Serialize)]
pub struct Report {
    pub model: String,
    pub file_bytes: usize,
    pub isa: &'static str,
    pub start: Start,
    /// One for each of `--tokens`.
    pub work: Vec<Work>,
    /// One for each of `--threads` and `--tokens`.
    pub runs: Vec<Run>,
    /// One for each of `--tokens`, with `--sessions`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub throughput: Vec<Throughput>,
}

/// Multiplications of int8 that a forward pass cannot do without, in 10⁹.
#[derive(Serialize)]
pub struct Work {
    pub tokens: usize,
    /// By weights in kept blocks.
    pub sparse_gmac: f64,
    /// Queries by keys, and probabilities by values.
    pub attention_gmac: f64,
}

impl Work {
    /// Counts.
    pub fn new(model: &Model<'_>, tokens: usize) -> Self {
        let config = model.config();
        let matrices = model.sections().filter_map(|section| model.matrix(section.id));
        let kept: usize = matrices.map(|matrix| 4 * matrix.kept_blocks()).sum();
        let (tokens_f64, hidden) = (tokens as f64, config.hidden as f64);
        Self {
            tokens,
            sparse_gmac: 1e-9 * kept as f64 * tokens_f64,
            attention_gmac: 1e-9 * 2.0 * config.layers as f64 * tokens_f64 * tokens_f64 * hidden,
        }
    }

    /// Both.
    pub fn total(&self) -> f64 {
        self.sparse_gmac + self.attention_gmac
    }
}

impl Report {
    /// For people.
    pub fn text(&self) -> String {
        let mut out = String::new();
        // A String takes everything.
        let _ = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> core::fmt::Result {
        writeln!(out, "{}: {} bytes, {}", printable(&self.model), self.file_bytes, self.isa)?;
        writeln!(
            out,
            "\n{:>6} {:>7} {:>10} {:>10} {:>8} {:>8} {:>10} {:>8}",
            "tokens", "threads", "median", "minimum", "GMAC", "GMAC/s", "floor", "x floor"
        )?;
        for run in &self.runs {
            let work = self.work.iter().find(|work| work.tokens == run.tokens).map_or(0.0, Work::total);
            let (median, minimum) = (format!("{:.2} ms", run.median_ms), format!("{:.2} ms", run.min_ms));
            let speed = 1e3 * work / run.median_ms;
            let floor = run.floor_ms.map_or("?".into(), |floor| format!("{floor:.2} ms"));
            let times = run.times_floor.map_or("?".into(), |times| format!("{times:.2}"));
            writeln!(
                out,
                "{:>6} {:>7} {median:>10} {minimum:>10} {work:>8.2} {speed:>8.0} {floor:>10} {times:>8}",
                run.tokens, run.threads
            )?;
        }
        let start = &self.start;
        writeln!(
            out,
            "\nstart, file in the page cache, {} tokens, threads {}:",
            start.tokens, start.threads
        )?;
        writeln!(
            out,
            "  map {:.2} ms, parse with every check {:.2} ms, session {:.2} ms, first pass {:.2} ms",
            start.map_ms, start.parse_ms, start.session_ms, start.pass_ms
        )?;
        writeln!(
            out,
            "  together {:.2} ms, {:.2} ms more than a pass above",
            start.total_ms, start.extra_ms
        )?;
        writeln!(out, "memory at {} tokens: workspace {} bytes", start.tokens, start.workspace_bytes)?;
        if let Some(private) = start.private_bytes {
            writeln!(out, "  private memory of the process {private} bytes, the mapped file not among them")?;
        }
        if !self.throughput.is_empty() {
            writeln!(
                out,
                "\n{:>6} {:>8} {:>10} {:>16} {:>6}",
                "tokens", "sessions", "passes/s", "one session", "ratio"
            )?;
        }
        for Throughput { tokens, sessions, one_session_per_second, per_second, ratio } in &self.throughput {
            let one = format!("{one_session_per_second:.1} passes/s");
            writeln!(out, "{tokens:>6} {sessions:>8} {per_second:>10.1} {one:>16} {ratio:>6.2}")?;
        }
        Ok(())
    }
}
