//! Training steps on made-up windows, as many as each line of standard input asks for. `benchmarks/train_speed.py` runs
//! it beside PyTorch:
//!
//! ```text
//! train_speed MODEL_DIRECTORY BATCH TOKENS DROPOUT
//! ```
//!
//! Answers a line with a number of steps by a line with the seconds they took and the loss of the last one.

use std::io::BufRead;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use blockspan_trainer::checkpoint;
use blockspan_trainer::config::Config;
use blockspan_trainer::features::Batch;
use blockspan_trainer::model::{BertForQuestionAnswering, DropoutKey, DropoutRates, Input, Variables};
use blockspan_trainer::startup;
use blockspan_trainer::train::loss::{Weights, loss};
use blockspan_trainer::train::optimizer::{AdamW, AdamWOptions, Gradients};
use candle_core::{Device, Tensor};

/// Tokens of the question, with `[CLS]` and `[SEP]`.
const QUESTION: usize = 20;

/// The same windows as in `train_speed.py`, all of full length and without the padding's id, whose row PyTorch does not
/// train.
fn batch(windows: usize, tokens: usize, vocabulary: usize) -> Result<Batch> {
    let (count, device) = (windows * tokens, &Device::Cpu);
    let ids = (0..count).map(|i| (1 + i * 7919 % (vocabulary - 1)) as u32).collect();
    let types = (0..count).map(|i| u32::from(i % tokens >= QUESTION)).collect();
    let label = |step: usize| -> Result<Tensor> {
        Ok(Tensor::from_iter((0..windows).map(|window| (window * step % tokens) as u32), device)?)
    };
    Ok(Batch {
        input: Input::new(ids, types, vec![1.0; count], windows, device)?,
        starts: label(37)?,
        ends: label(41)?,
        tokens: count,
    })
}

fn main() -> Result<()> {
    startup::set_environment(1);
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [directory, windows, tokens, dropout] = &arguments[..] else {
        anyhow::bail!("train_speed MODEL_DIRECTORY BATCH TOKENS DROPOUT");
    };
    let (windows, tokens) = (windows.parse::<usize>()?, tokens.parse::<usize>()?);
    let rate: f64 = dropout.parse()?;
    let rates = DropoutRates { hidden: rate, attention: rate };
    let directory = Path::new(directory);
    let config = Config::read(directory)?;
    let parameters = checkpoint::load(directory, &config, 0)?.0;
    let variables = Variables::trained(&config, &parameters, &Device::Cpu, |_| true)?;
    let model = BertForQuestionAnswering::new(&config, variables.builder())?;
    let mut optimizer = AdamW::new(variables.vars(), AdamWOptions::default())?;
    let batch = batch(windows, tokens, config.vocab_size)?;
    let weights = Weights { distill: 0.0, null_distill: 0.0, temperature: 1.0, hidden: 0.0 };
    let mut step = |number: u64| -> Result<f32> {
        let output = model.forward_training(&batch.input, rates, DropoutKey { key: number, first: 0 })?;
        let loss = loss(&output, None, &batch, weights)?;
        let mut gradients = Gradients::default();
        gradients.add(optimizer.vars(), loss.backward()?)?;
        optimizer.step(&gradients, 1e-4, 1.0)?;
        Ok(loss.to_scalar()?)
    };
    let mut number = 0;
    for line in std::io::stdin().lock().lines() {
        let steps: u64 = line?.trim().parse().context("a number of steps")?;
        let (start, mut last) = (Instant::now(), f32::NAN);
        for _ in 0..steps {
            last = step(number)?;
            number += 1;
        }
        println!("{} {last}", start.elapsed().as_secs_f64());
    }
    Ok(())
}
