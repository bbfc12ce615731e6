//! Each kernel as a fraction of what this machine can do, measured in the same run.
//!
//! ```text
//! cargo run --release -p blockspan-kernels --example limits [-- --isa avx2] [--panel-cols N] [--json]
//! ```
//!
//! One thread. Products count only multiplications by kept blocks, epilogue included, against the instruction set's
//! peak of int8 dot products; vector functions count bytes and float operations, against whichever of the two takes
//! longer. Each figure is the shortest of many repetitions (of a product for each tile of tokens by itself), and a
//! product's peak was measured right before it.

mod cases;
mod measure;
mod peak;
mod report;

use std::process::ExitCode;

use blockspan_kernels::{Isa, available, kernels_for};

const USAGE: &str = "usage: limits [--isa NAME]... [--panel-cols N] [--filter TEXT] [--json]";

fn main() -> ExitCode {
    match options(std::env::args().skip(1)) {
        Ok(options) => {
            run(&options);
            ExitCode::SUCCESS
        }
        Err(reason) => {
            eprintln!("{reason}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

struct Options {
    isas: Vec<Isa>,
    panel_cols: usize,
    filter: String,
    json: bool,
}

fn options(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options { isas: Vec::new(), panel_cols: 512, filter: String::new(), json: false };
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} wants a value"));
        match arg.as_str() {
            "--isa" => {
                let isa: Isa = value()?.parse().map_err(|e| format!("{e}"))?;
                kernels_for(isa).ok_or(format!("this machine has no {isa}"))?;
                options.isas.push(isa);
            }
            "--panel-cols" => {
                options.panel_cols = value()?.parse().map_err(|e| format!("--panel-cols: {e}"))?
            }
            "--filter" => options.filter = value()?,
            "--json" => options.json = true,
            _ => return Err(format!("unknown argument {arg}")),
        }
    }
    if options.isas.is_empty() {
        options.isas = available().filter(|&isa| isa != Isa::Scalar).collect();
    }
    Ok(options)
}

fn run(options: &Options) {
    let mut report = report::LimitsReport::new(options.json);
    for kernels in options.isas.iter().filter_map(|&isa| kernels_for(isa)) {
        report.machine(kernels.isa());
        let mut cases = cases::Cases { kernels, report: &mut report, filter: &options.filter };
        cases.products(options.panel_cols);
        cases.attention();
        cases.vector_functions();
    }
    report.end();
}
