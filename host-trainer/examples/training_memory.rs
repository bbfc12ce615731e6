//! The memory that two training steps of BERT-Large's shape take on this machine's CPU, at its highest:
//!
//! ```text
//! training_memory WINDOWS TOKENS f32|bf16|f16 [--recompute]
//! ```
//!
//! bf16 takes as much memory as f32 here and less time: it is that of products only. With f16 the network runs as on an
//! accelerator: by candle's own operations, which keep the attention's probabilities.
//! Weights are made up, as are the windows. Linux only: it reads `/proc/self/status`.

use std::time::Instant;

use anyhow::{Context, Result, bail};
use blockspan_trainer::config::Config;
use blockspan_trainer::features::Batch;
use blockspan_trainer::model::{
    BertForQuestionAnswering, DropoutKey, DropoutRates, Input, Output, Variables,
};
use blockspan_trainer::startup;
use blockspan_trainer::train::loss::{Weights, loss};
use blockspan_trainer::train::optimizer::{AdamW, AdamWOptions, Gradients};
use candle_core::{DType, Device, Tensor};

const CONFIG: &str = r#"{"model_type": "bert", "hidden_act": "gelu", "vocab_size": 30522, "hidden_size": 1024,
  "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096, "max_position_embeddings": 512}"#;

/// The most memory that this process had so far, in bytes.
fn highest() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").context("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    Ok(1024 * line.trim().trim_end_matches(" kB").parse::<u64>()?)
}

fn batch(windows: usize, tokens: usize, vocabulary: usize) -> Result<Batch> {
    let (count, device) = (windows * tokens, &Device::Cpu);
    let ids = (0..count).map(|i| (1 + i * 7919 % (vocabulary - 1)) as u32).collect();
    let labels = || Tensor::from_iter((0..windows).map(|window| (window % tokens) as u32), device);
    Ok(Batch {
        input: Input::new(ids, vec![0; count], vec![1.0; count], windows, device)?,
        starts: labels()?,
        ends: labels()?,
        tokens: count,
    })
}

fn main() -> Result<()> {
    startup::set_environment(1);
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (recompute, dtype) = match &arguments[..] {
        [_, _, dtype] => (false, dtype),
        [_, _, dtype, flag] if flag == "--recompute" => (true, dtype),
        _ => bail!("training_memory WINDOWS TOKENS f32|bf16|f16 [--recompute]"),
    };
    let dtype = match dtype.as_str() {
        "f32" => DType::F32,
        "bf16" => DType::BF16,
        "f16" => DType::F16,
        other => bail!("{other}: give f32, bf16 or f16"),
    };
    let (windows, tokens) = (arguments[0].parse::<usize>()?, arguments[1].parse::<usize>()?);
    let directory = tempfile::tempdir()?;
    std::fs::write(directory.path().join("config.json"), CONFIG)?;
    let config = Config::read(directory.path())?;
    let value = |index: usize| ((index * 7919 % 1009) as f32 - 504.0) * 4e-5;
    let parameters = config.parameters().into_iter().map(|(name, shape)| {
        let offset = if name.ends_with("LayerNorm.weight") { 1.0 } else { 0.0 };
        let values = (0..shape.iter().product()).map(|index| offset + value(index)).collect();
        (name, values)
    });
    let parameters = parameters.collect();
    let variables = Variables::trained(&config, &parameters, &Device::Cpu, |_| true)?;
    drop(parameters);
    let model = BertForQuestionAnswering::new(&config, variables.builder())?.with_dtype(dtype)?;
    let mut optimizer = AdamW::new(variables.vars(), AdamWOptions::default())?;
    let batch = batch(windows, tokens, config.vocab_size)?;
    let weights = Weights { distill: 0.0, null_distill: 0.0, temperature: 1.0, hidden: 0.0 };
    let rates = DropoutRates { hidden: 0.1, attention: 0.1 };
    let loss = |output: &Output| loss(output, None, &batch, weights);
    let begin = Instant::now();
    let (mut value, mut norm, mut pass) = (0.0, 0.0, 0);
    // The moments are there from the first step of the optimizer on.
    for key in 0..2 {
        let key = DropoutKey { key, first: 0 };
        let mut gradients = Gradients::default();
        value = if recompute {
            let add = |store| gradients.add(optimizer.vars(), store);
            model.backward_recomputing(&batch.input, rates, key, loss, add)?
        } else {
            let loss = loss(&model.forward_training(&batch.input, rates, key)?)?;
            gradients.add(optimizer.vars(), loss.backward()?)?;
            loss.to_scalar()?
        };
        pass = highest()?;
        norm = optimizer.step(&gradients, 1e-4, 1.0)?;
    }
    let seconds = begin.elapsed().as_secs_f64();
    println!(
        "{windows} windows of {tokens} tokens, {}{}: {:.2} GB after the second backward pass, {:.2} GB at the end; \
         {seconds:.1} s, loss {value:.6}, norm {norm:.6}",
        dtype.as_str(),
        if recompute { ", recomputing" } else { "" },
        pass as f64 / 1e9,
        highest()? as f64 / 1e9,
    );
    Ok(())
}
