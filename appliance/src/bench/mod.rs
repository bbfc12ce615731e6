//! `blockspan bench`: how long a forward pass takes, what a start costs, how much memory both take, and what
//! many sessions do at the same time.

mod measure;
mod report;
mod throughput;

use anyhow::{Result, ensure};

use crate::cli::Bench;
use crate::model_source::{ModelSource, check_not_stdin};
use crate::output;
use crate::runtime::{self, Machine};
use measure::{Start, latency};
use report::{Report, Work};
use throughput::throughput;

/// What is timed if `--tokens` is not given, as far as the model has positions.
const TOKENS: [usize; 3] = [48, 128, 384];

/// Measures and prints.
pub fn run(args: &Bench) -> Result<()> {
    check_not_stdin(args.model.as_deref(), "the model is opened several times; name a file")?;
    let isa = args.isa.as_deref();
    let machines = match args.threads.as_slice() {
        [] => vec![Machine::new(isa, None)?],
        threads => threads.iter().map(|&n| Machine::new(isa, Some(n))).collect::<Result<_>>()?,
    };
    let source = ModelSource::open(args.model.as_deref())?;
    let model = source.parse()?;
    let most = model.config().max_positions;
    let tokens = match args.tokens.as_slice() {
        [] => TOKENS.into_iter().filter(|&tokens| tokens <= most).collect(),
        tokens => tokens.to_vec(),
    };
    for &tokens in &tokens {
        ensure!(
            (8..=most).contains(&tokens),
            "--tokens {tokens}: give lengths of 8 to {most} tokens, which this model reads"
        );
    }

    // The start comes first, while the process has nothing in memory that a user's would not have.
    let longest = tokens.iter().copied().max().unwrap_or(most);
    let widest = machines.iter().max_by_key(|machine| machine.threads());
    let Some(machine) = widest else { return Ok(()) };
    let mut start = Start::measure(args.model.as_deref(), machine, longest)?;
    let work: Vec<Work> = tokens.iter().map(|&tokens| Work::new(&model, tokens)).collect();
    let mut runs = Vec::new();
    for machine in &machines {
        for work in &work {
            runs.push(latency(&model, machine, work, args.repeat)?);
        }
    }
    start.compare(&runs);
    let mut report = Report {
        model: source.to_string(),
        file_bytes: source.bytes().len(),
        isa: machine.isa().name(),
        start,
        work,
        runs,
        throughput: Vec::new(),
    };
    if let Some(sessions) = args.sessions {
        let (kernels, model) = (runtime::kernels(isa)?, source.share()?);
        for tokens in tokens {
            report.throughput.push(throughput(&model, kernels, tokens, sessions, args.repeat)?);
        }
    }
    output::print(&if args.json { output::json::line(&report)? } else { report.text() })
}
