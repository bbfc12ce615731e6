//! How long a forward pass takes: batch 1, real length, steady state.
//!
//! ```sh
//! cargo run --release -p blockspan-engine --example latency -- model.bspan [--tokens 48,128,384] [--threads 1,2]
//!     [--isa avx2] [--runs 20]
//! ```
//!
//! Prints the minimum and the median of the runs for each combination. Figures of different machines, or of
//! different moments of a busy one, do not compare: run peers beside it.

use core::error::Error;
use std::time::Instant;

use blockspan_engine::{MappedFile, Model, Runtime, Session, ThreadPool};
use blockspan_kernels::{Isa, best, kernels_for};

fn main() -> Result<(), Box<dyn Error>> {
    let (mut path, mut tokens, mut threads, mut runs, mut kernels) =
        (None, vec![48, 128, 384], vec![1, 2], 20usize, best());
    let mut args = std::env::args().skip(1);
    let list = |text: String| text.split(',').map(str::parse).collect::<Result<Vec<usize>, _>>();
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} wants a value"));
        match arg.as_str() {
            "--tokens" => tokens = list(value()?)?,
            "--threads" => threads = list(value()?)?,
            "--runs" => runs = value()?.parse()?,
            "--isa" => {
                let isa: Isa = value()?.parse()?;
                kernels = kernels_for(isa).ok_or(format!("this machine has no {isa}"))?;
            }
            _ => path = Some(arg),
        }
    }
    let path = path.ok_or("name a packed model")?;
    let file = MappedFile::open(path.as_ref())?;
    let started = Instant::now();
    let model = Model::parse(file.bytes())?;
    println!("{path}: parsed in {:.1} ms; {}", 1e3 * started.elapsed().as_secs_f64(), kernels.isa());
    for &threads in &threads {
        let pool = ThreadPool::new(threads)?;
        for &tokens in &tokens {
            let len = model.workspace_len(tokens)
                + threads.saturating_sub(1) * model.workspace_len_per_thread(tokens);
            let mut workspace = vec![0; len];
            let runtime = Runtime { kernels, parallel: &pool };
            let mut session = Session::with(&model, tokens, &mut workspace, runtime)?;
            let vocab = model.config().vocab;
            let ids: Vec<(u32, u32)> =
                (0..tokens).map(|i| (((i * 7919) % vocab) as u32, u32::from(i > 12))).collect();
            for _ in 0..3 {
                session.logits(&ids)?;
            }
            let mut times = Vec::new();
            for _ in 0..runs.max(1) {
                let started = Instant::now();
                session.logits(&ids)?;
                times.push(1e3 * started.elapsed().as_secs_f64());
            }
            times.sort_by(f64::total_cmp);
            println!(
                "{tokens:>4} tokens, {threads} threads: min {:.2} ms, median {:.2} ms",
                times[0],
                times[times.len() / 2]
            );
        }
    }
    Ok(())
}
