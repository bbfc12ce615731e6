//! A packed model against the checkpoint that it was made of: the same windows through both.

use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use blockspan_engine::{AlignedBytes, Model, Runtime, Session};
use blockspan_squad::Dataset;
use candle_core::Device;
use rayon::prelude::*;

use crate::config::Config;
use crate::evaluate::{EvaluateOptions, Evaluation, Logits, Network, logits, predictions};
use crate::features::{Feature, Labels, features};
use crate::tokenizer::read_tokenizer_json;

/// Windows that one task of the engine reads, in a workspace of its own.
const WINDOWS_PER_TASK: usize = 32;

/// How far the packed model is from its checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Verification {
    /// The checkpoint in f32.
    pub float: Evaluation,
    /// The packed model in int8, on the same windows.
    pub packed: Evaluation,
    /// How far the logits are apart.
    pub logits: Difference,
    /// Questions and paragraphs that the packed tokenizer cuts in another way than the checkpoint's. The windows are
    /// the checkpoint's, so this is not in the figures above.
    pub texts_cut_differently: usize,
    /// Questions and paragraphs that `tokenizer.json` alone, whatever `tokenizer_config.json` says beside it, cuts in
    /// another way than the packed tokenizer. It is read without the code that packing reads it with.
    pub texts_cut_differently_by_json: usize,
    /// Questions whose answers differ, in the order of the data set.
    pub changed: Vec<Changed>,
}

impl Verification {
    /// The share of the questions that both answer alike.
    pub fn equal_answers(&self) -> f64 {
        1.0 - self.changed.len() as f64 / self.float.predicted.len().max(1) as f64
    }
}

/// Differences of logits as shares of their spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// The standard deviation of all f32 logits.
    pub spread: f64,
    /// The largest |int8 − f32| / spread.
    pub worst: f64,
    /// The mean of |int8 − f32| / spread.
    pub mean: f64,
}

/// A question that the two answer differently.
#[derive(Clone, Debug, PartialEq)]
pub struct Changed {
    /// Its id.
    pub id: String,
    /// The question.
    pub question: String,
    /// The checkpoint's answer; empty for none.
    pub float: String,
    /// The packed model's answer; empty for none.
    pub packed: String,
}

/// Answers all questions with the checkpoint in `directory` and with the file `packed`.
///
/// # Errors
/// Files that cannot be read or do not belong together, or a failure of the device.
pub fn verify(
    directory: &Path,
    packed: &Path,
    dataset: &Dataset,
    options: EvaluateOptions,
    device: &Device,
) -> Result<Verification> {
    options.check()?;
    let file = AlignedBytes::read_file(packed)?;
    let engine = Model::parse(&file).map_err(|error| anyhow!("{}: {error}", packed.display()))?;
    let Network { config, tokenizer, model } = Network::load(directory, options.windows, device)?;
    check_shapes(&config, &engine)
        .with_context(|| format!("{} was not packed from {}", packed.display(), directory.display()))?;
    let windows = features(dataset, &tokenizer, options.windows, Labels::None)?;
    ensure!(!windows.is_empty(), "the data file holds no question; name a SQuAD file");
    let differ = |cut: &dyn Fn(&str) -> Result<Vec<u32>>| texts_cut_differently(dataset, cut, &engine);
    let texts_cut_differently = differ(&|text| Ok(tokenizer.tokens(text)?.ids))?;
    let texts_cut_differently_by_json = match read_tokenizer_json(directory)? {
        Some(json) => differ(&|text| {
            let encoding = json.encode(text, false).map_err(|error| anyhow!("cannot tokenize: {error}"))?;
            Ok(encoding.get_ids().to_vec())
        })?,
        None => 0,
    };
    let float = logits(&model, &windows, options.batch_size, tokenizer.pad, device)?;
    let int8 = engine_logits(&engine, &windows)?;
    let evaluation = |logits: &[Logits]| {
        let predicted = predictions(dataset, &windows, logits, options);
        Evaluation::new(dataset, predicted, windows.len(), options.null_threshold)
    };
    let logits = difference(&float, &int8);
    let (float, packed) = (evaluation(&float), evaluation(&int8));
    let pairs = float.predicted.iter().zip(&packed.predicted).zip(dataset.questions());
    let changed = pairs
        .filter(|((float, packed), _)| float.text != packed.text)
        .map(|((float, packed), (_, question))| Changed {
            id: float.id.clone(),
            question: question.question.clone(),
            float: float.text.clone(),
            packed: packed.text.clone(),
        })
        .collect();
    Ok(Verification { float, packed, logits, texts_cut_differently, texts_cut_differently_by_json, changed })
}

fn check_shapes(config: &Config, engine: &Model<'_>) -> Result<()> {
    let packed = engine.config();
    for (name, ours, theirs) in [
        ("hidden size", config.hidden_size, packed.hidden),
        ("layers", config.num_hidden_layers, packed.layers),
        ("heads", config.num_attention_heads, packed.heads),
        ("intermediate size", config.intermediate_size, packed.intermediate),
        ("vocabulary", config.vocab_size, packed.vocab),
        ("positions", config.max_position_embeddings, packed.max_positions),
    ] {
        ensure!(ours == theirs, "its {name}: {theirs}, the checkpoint's: {ours}");
    }
    Ok(())
}

/// Counts the texts whose tokens differ between another tokenizer and the packed one.
fn texts_cut_differently(
    dataset: &Dataset,
    cut: &dyn Fn(&str) -> Result<Vec<u32>>,
    engine: &Model<'_>,
) -> Result<usize> {
    let contexts = dataset.paragraphs.iter().map(|paragraph| paragraph.context.as_str());
    let questions = dataset.questions().map(|(_, question)| question.question.trim_start());
    let mut count = 0;
    for text in contexts.chain(questions) {
        let expected = cut(text)?;
        let same = engine.tokenizer().tokens(text).map(|token| token.id).eq(expected);
        count += usize::from(!same);
    }
    Ok(count)
}

fn engine_logits(engine: &Model<'_>, windows: &[Feature]) -> Result<Vec<Logits>> {
    let tasks: Vec<Vec<Logits>> = windows
        .par_chunks(WINDOWS_PER_TASK)
        .map(|windows| {
            let longest = windows.iter().map(|window| window.input_ids.len()).max().unwrap_or(0).max(8);
            let mut workspace = vec![0; engine.workspace_len(longest, 1)];
            let mut session = Session::with(engine, longest, &mut workspace, Runtime::default())?;
            windows
                .iter()
                .map(|window| {
                    let ids = window.input_ids.iter().copied().enumerate();
                    let ids: Vec<(u32, u32)> = ids.map(|(at, id)| (id, window.token_type(at))).collect();
                    let (start, end) = session.logits(&ids)?;
                    Ok(Logits { start: start.to_vec(), end: end.to_vec() })
                })
                .collect()
        })
        .collect::<Result<_>>()?;
    Ok(tasks.into_iter().flatten().collect())
}

fn difference(float: &[Logits], int8: &[Logits]) -> Difference {
    let all =
        |logits: &Logits| logits.start.iter().chain(&logits.end).map(|&x| f64::from(x)).collect::<Vec<_>>();
    let (mut count, mut sum, mut squares) = (0usize, 0.0, 0.0);
    let (mut worst, mut total) = (0f64, 0.0);
    for (float, int8) in float.iter().zip(int8) {
        for (x, y) in all(float).into_iter().zip(all(int8)) {
            count += 1;
            sum += x;
            squares += x * x;
            worst = worst.max((x - y).abs());
            total += (x - y).abs();
        }
    }
    let count = count.max(1) as f64;
    let spread = (squares / count - (sum / count).powi(2)).max(0.0).sqrt();
    let unit = spread.max(f64::MIN_POSITIVE);
    Difference { spread, worst: worst / unit, mean: total / count / unit }
}

#[cfg(test)]
mod tests {
    use super::{Logits, difference};

    #[test]
    fn differences_are_shares_of_the_spread() {
        // Of 1, 3, 5, 7: mean 4, standard deviation √5.
        let float = [Logits { start: vec![1.0, 3.0], end: vec![5.0, 7.0] }];
        let int8 = [Logits { start: vec![1.0, 3.5], end: vec![4.0, 7.5] }];
        let difference = difference(&float, &int8);
        let root = 5f64.sqrt();
        assert!((difference.spread - root).abs() < 1e-12, "{difference:?}");
        assert!((difference.worst - 1.0 / root).abs() < 1e-12, "{difference:?}");
        assert!((difference.mean - 0.5 / root).abs() < 1e-12, "{difference:?}");
    }
}
