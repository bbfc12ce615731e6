//! Start and end logits of token sequences, for comparison with other implementations.
//!
//! ```sh
//! cargo run --release -p blockspan-engine --example logits -- model.bspan < sequences > logits
//! ```
//!
//! A line of the input is a sequence, `ID:SEGMENT ID:SEGMENT …`; it becomes two lines, the start and the end logits.

use core::error::Error;
use std::io::{BufWriter, Write, stdin, stdout};
use std::thread::available_parallelism;

use blockspan_engine::{AlignedBytes, MAX_THREADS, Model, Runtime, Session, ThreadPool};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("name a packed model")?;
    let file = AlignedBytes::read_file(&path)?;
    let model = Model::parse(&file).map_err(|error| format!("{path}: {error}"))?;
    let threads = available_parallelism()?.get().min(MAX_THREADS);
    let pool = ThreadPool::new(threads)?;
    let most = model.config().max_positions;
    let mut workspace = vec![0; model.workspace_len(most, threads)];
    let runtime = Runtime { parallel: &pool, ..Runtime::default() };
    let mut session = Session::with(&model, most, &mut workspace, runtime)?;
    let mut out = BufWriter::new(stdout().lock());
    for (number, line) in stdin().lines().enumerate() {
        let token = |text: &str| {
            let (id, segment) = text.split_once(':')?;
            Some((id.parse().ok()?, segment.parse().ok()?))
        };
        let ids: Option<Vec<(u32, u32)>> = line?.split_whitespace().map(token).collect();
        let ids = ids.ok_or_else(|| format!("line {}: not a sequence of ID:SEGMENT", number + 1))?;
        let (start, end) = session.logits(&ids)?;
        for logits in [start, end] {
            let words: Vec<String> = logits.iter().map(f32::to_string).collect();
            writeln!(out, "{}", words.join(" "))?;
        }
    }
    out.flush()?;
    Ok(())
}
