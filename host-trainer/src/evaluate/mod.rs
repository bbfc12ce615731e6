//! Answers to the questions of a data set, and their EM and F1, with the semantics of `run_qa.py`.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use blockspan_engine::span::{Candidate, MAX_N_BEST, SpanPool, Window};
use blockspan_squad::{Dataset, Scores};
use candle_core::Device;

use crate::batches::{Batch, by_length};
use crate::checkpoint;
use crate::config::Config;
use crate::features::{Feature, Labels, WindowOptions, features};
use crate::model::{BertForQuestionAnswering, Variables};
use crate::tokenizer::Tokenizer;

/// How answers are chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// How passages are cut.
    pub windows: WindowOptions,
    /// Windows that the network reads at once.
    pub batch_size: usize,
    /// Starts and ends examined per window.
    pub n_best: usize,
    /// The longest answer, in tokens.
    pub max_answer_len: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options { windows: WindowOptions::default(), batch_size: 16, n_best: 20, max_answer_len: 30 }
    }
}

/// Scores and predicted texts, by question id.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// EM and F1.
    pub scores: Scores,
    /// The predicted text of each question; empty when the null answer wins or the passage has no token.
    pub predictions: BTreeMap<String, String>,
    /// Windows that were read.
    pub windows: usize,
}

/// Evaluates the model in a Hugging Face directory.
///
/// A question's answer may be empty only where the data set holds unanswerable questions, as with
/// `run_qa.py --version_2_with_negative`.
///
/// # Errors
/// Files that cannot be read or do not fit each other, or a failure of the device.
pub fn evaluate(
    directory: &Path,
    dataset: &Dataset,
    options: Options,
    device: &Device,
) -> Result<Evaluation> {
    ensure!(options.batch_size > 0, "--batch-size 0: give at least 1");
    ensure!(
        (1..=MAX_N_BEST).contains(&options.n_best),
        "--n-best {}: give a number from 1 to {MAX_N_BEST}",
        options.n_best
    );
    let config = Config::read(directory)?;
    options.windows.check(&config)?;
    let tokenizer = Tokenizer::read(directory)?;
    tokenizer.check(&config).with_context(|| directory.display().to_string())?;
    let (parameters, fresh_head) = checkpoint::load(directory, &config, 0)?;
    ensure!(!fresh_head, "{}: the model has no qa_outputs; fine-tune it first", directory.display());
    let variables = Variables::frozen(&config, &parameters, device)?;
    let model = BertForQuestionAnswering::new(&config, &variables, &BTreeMap::new())?;
    let windows = features(dataset, &tokenizer, options.windows, Labels::None)?;
    let logits = logits(&model, &windows, options.batch_size, tokenizer.pad, device)?;
    let predictions = predictions(dataset, &windows, &logits, options);
    Ok(Evaluation {
        scores: blockspan_squad::evaluate(dataset, &predictions),
        predictions,
        windows: windows.len(),
    })
}

/// Start and end logits of a window, one per token.
pub struct Logits {
    /// Of the first token of the answer.
    pub start: Vec<f32>,
    /// Of the last token of the answer.
    pub end: Vec<f32>,
}

/// The logits of each window, in the order of `windows`.
///
/// # Errors
/// A failure of the device.
pub fn logits(
    model: &BertForQuestionAnswering,
    windows: &[Feature],
    batch_size: usize,
    pad: u32,
    device: &Device,
) -> Result<Vec<Logits>> {
    let mut all: Vec<Logits> =
        windows.iter().map(|_| Logits { start: Vec::new(), end: Vec::new() }).collect();
    for indices in by_length(windows, batch_size.max(1)) {
        let batch = Batch::new(windows, &indices, pad, device)?;
        let output = model.forward(&batch.input)?;
        let (starts, ends) = (output.start_logits.to_vec2::<f32>()?, output.end_logits.to_vec2::<f32>()?);
        for ((index, mut start), mut end) in indices.into_iter().zip(starts).zip(ends) {
            let tokens = windows[index].input_ids.len();
            start.truncate(tokens);
            end.truncate(tokens);
            all[index] = Logits { start, end };
        }
    }
    Ok(all)
}

/// The best answer of each question, from the logits of its windows.
pub fn predictions(
    dataset: &Dataset,
    windows: &[Feature],
    logits: &[Logits],
    options: Options,
) -> BTreeMap<String, String> {
    let null_allowed = dataset.questions().any(|(_, question)| question.is_impossible);
    let mut by_question: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, window) in windows.iter().enumerate() {
        by_question.entry(window.question).or_default().push(index);
    }
    let mut best = vec![Candidate::default(); options.n_best.max(1)];
    let mut predictions = BTreeMap::new();
    for (index, (paragraph, question)) in dataset.questions().enumerate() {
        let mut pool = SpanPool::new(&mut best, options.n_best, options.max_answer_len);
        for &window in by_question.get(&index).into_iter().flatten() {
            pool.add_window(&Window {
                start_logits: &logits[window].start,
                end_logits: &logits[window].end,
                passage: windows[window].passage.clone(),
                offsets: windows[window].offsets(),
            });
        }
        let answer = pool.candidates().first().filter(|c| !null_allowed || pool.null_score() <= c.score());
        let text = answer.and_then(|c| paragraph.context.get(c.start as usize..c.end as usize));
        predictions.insert(question.id.clone(), text.unwrap_or_default().to_owned());
    }
    predictions
}
