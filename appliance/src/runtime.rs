//! What computes: an instruction set's kernels, threads, and the workspace; and how answers are chosen.

use core::str::FromStr;
use std::io;

use anyhow::{Context, Result, anyhow, bail, ensure};
use blockspan_engine::format::Config;
use blockspan_engine::{AnswerOptions, Isa, Kernels, MAX_THREADS, Model, Parallel, Runtime, ThreadPool};
use blockspan_reader::{BuildError, cores};

use crate::cli::DecodingArgs;

/// Overrides the choice of the instruction set, as `--isa` does; `--isa` wins.
const ISA_VARIABLE: &str = "BLOCKSPAN_ISA";

/// Kernels and threads.
pub struct Machine {
    kernels: &'static dyn Kernels,
    pool: ThreadPool,
}

impl Machine {
    /// What the options and the environment ask for, else the fastest kernels on all cores.
    pub fn new(isa: Option<&str>, threads: Option<usize>) -> Result<Self> {
        let (kernels, threads) = (kernels(isa)?, threads_or_cores(threads));
        let pool = ThreadPool::new(threads).map_err(|error| no_threads(threads, &error))?;
        Ok(Self { kernels, pool })
    }

    /// For the engine.
    pub fn runtime(&self) -> Runtime<'_> {
        Runtime { kernels: self.kernels, parallel: &self.pool }
    }

    /// The instruction set.
    pub fn isa(&self) -> Isa {
        self.kernels.isa()
    }

    /// The number of threads.
    pub fn threads(&self) -> usize {
        self.pool.threads()
    }

    /// A workspace for windows of `max_seq_len` tokens, with scratch for every thread.
    pub fn workspace(&self, model: &Model<'_>, max_seq_len: usize) -> Result<Vec<u8>> {
        new_workspace(model, max_seq_len, self.threads())
    }
}

/// The kernels that `--isa` names, else the environment, else the fastest.
pub fn kernels(isa: Option<&str>) -> Result<&'static dyn Kernels> {
    match isa {
        Some(name) => kernels_named(name).with_context(|| format!("--isa {name}")),
        None => match std::env::var_os(ISA_VARIABLE).filter(|name| !name.is_empty()) {
            Some(name) => {
                let name = name.to_string_lossy();
                kernels_named(&name).with_context(|| format!("{ISA_VARIABLE}={name}"))
            }
            None => Ok(blockspan_engine::best()),
        },
    }
}

/// What `--threads` asks for, else as many as there are cores.
pub fn threads_or_cores(threads: Option<usize>) -> usize {
    threads.unwrap_or_else(|| cores().min(MAX_THREADS))
}

/// A workspace for windows of `max_seq_len` tokens on so many threads.
pub fn new_workspace(model: &Model<'_>, max_seq_len: usize, threads: usize) -> Result<Vec<u8>> {
    let len = model.workspace_len(max_seq_len, threads);
    let mut workspace = Vec::new();
    workspace.try_reserve_exact(len).map_err(|_| no_memory(len))?;
    workspace.resize(len, 0);
    Ok(workspace)
}

/// The error with the options that help.
pub fn remedy(error: BuildError) -> anyhow::Error {
    match error {
        BuildError::Threads { threads, error } => no_threads(threads, &error),
        BuildError::Memory { bytes } => no_memory(bytes),
        error => error.into(),
    }
}

fn no_threads(threads: usize, error: &io::Error) -> anyhow::Error {
    anyhow!("cannot start {threads} threads: {error}; give a smaller --threads")
}

fn no_memory(bytes: usize) -> anyhow::Error {
    anyhow!("no memory for a workspace of {bytes} bytes; give a smaller --max-seq-len")
}

/// The longest window: what `--max-seq-len` asks for, if the model reads so many tokens, else the model's own length.
pub fn max_seq_len(asked: Option<usize>, config: &Config) -> Result<usize> {
    let (tokens, most) = (asked.unwrap_or(config.max_seq_len), config.max_positions);
    ensure!(
        (8..=most).contains(&tokens),
        "--max-seq-len {tokens}: give 8 to {most} tokens, the windows that this model reads"
    );
    Ok(tokens)
}

/// The kernels of an instruction set that this machine has.
fn kernels_named(name: &str) -> Result<&'static dyn Kernels> {
    let isa = Isa::from_str(name).map_err(anyhow::Error::msg)?;
    let Some(kernels) = blockspan_engine::kernels_for(isa) else {
        let available: Vec<&str> = blockspan_engine::available().map(Isa::name).collect();
        bail!("not available here; use what this machine and build have: {}", available.join(" "))
    };
    Ok(kernels)
}

/// How passages are cut and spans chosen, the model's own values filled in.
pub struct Decoding {
    pub max_seq_len: usize,
    pub options: AnswerOptions,
}

impl Decoding {
    /// Checks the arguments against the model.
    pub fn new(args: &DecodingArgs, config: &Config) -> Result<Self> {
        let max_seq_len = max_seq_len(args.max_seq_len, config)?;
        let doc_stride = args.doc_stride.unwrap_or_else(|| config.doc_stride_for(max_seq_len));
        ensure!(
            doc_stride < max_seq_len,
            "--doc-stride {doc_stride}: give less than the window's {max_seq_len} tokens (--max-seq-len)"
        );
        let options = AnswerOptions {
            max_answer_len: args.max_answer_len,
            n_best: args.n_best,
            max_query_length: args.max_query_length.unwrap_or(usize::MAX),
            null_threshold: args.null_threshold.unwrap_or(f32::INFINITY),
            doc_stride: Some(doc_stride),
        };
        Ok(Self { max_seq_len, options })
    }
}
