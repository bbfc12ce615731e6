//! `blockspan eval`: EM and F1 with the semantics of `run_qa.py`, as `blockspan-trainer evaluate` has them.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use blockspan_engine::{Answer, AnswerOptions, Error, Session};
use blockspan_squad::Dataset;

use crate::cli::Eval;
use crate::model_source::ModelSource;
use crate::output::{self, NewFile};
use crate::progress::Progress;
use crate::runtime::{Decoding, Machine};

/// Answers every question, scores, prints.
pub fn run(args: &Eval) -> Result<()> {
    let machine = Machine::new(&args.runtime)?;
    let shown = args.data.display();
    // The message holds its cause already.
    let dataset = Dataset::read(&args.data).map_err(|error| anyhow::Error::msg(error.to_string()))?;
    ensure!(dataset.questions().next().is_some(), "{shown}: holds no question; name a SQuAD file");
    let predictions_file = args.predictions.as_deref().map(NewFile::prepare).transpose()?;

    let source = ModelSource::open(args.model.model.as_deref())?;
    let model = source.parse()?;
    let decoding = Decoding::new(&args.decoding, model.config())?;
    let mut workspace = machine.workspace(&model, decoding.max_seq_len)?;
    let mut session = Session::with(&model, decoding.max_seq_len, &mut workspace, machine.runtime())?;
    let mut options = decoding.options;
    // As with run_qa.py's --version_2_with_negative, only such a file makes the empty answer possible.
    if args.decoding.null_threshold.is_none() && dataset.questions().any(|(_, q)| q.is_impossible) {
        options.null_threshold = 0.0;
    }
    let answered = answer_all(&dataset, &mut session, &options).with_context(|| shown.to_string())?;

    if let Some(file) = predictions_file {
        file.write((serde_json::to_string_pretty(&answered.predictions)? + "\n").as_bytes())?;
    }
    if let Some(first) = &answered.first_unanswerable {
        output::note(&format!(
            "note: questions without an answer: {}; the first is {first}",
            answered.unanswerable
        ));
    }
    let scores = blockspan_squad::evaluate(&dataset, &answered.predictions);
    output::print(&format!(
        "EM {:.2}  F1 {:.2}  ({} questions, {} windows)\n",
        scores.exact_match, scores.f1, scores.total, answered.windows
    ))?;
    output::note(&format!(
        "{:.1} questions/s; isa {}, threads {}",
        answered.per_second,
        machine.isa(),
        machine.threads()
    ));
    Ok(())
}

/// What came of all questions.
#[derive(Default)]
struct Answered {
    /// The text for each question id; empty where there is no answer.
    predictions: BTreeMap<String, String>,
    windows: usize,
    per_second: f64,
    /// Questions that cannot be answered as they stand in the file.
    unanswerable: usize,
    /// The first of them: its id and the reason.
    first_unanswerable: Option<String>,
}

fn answer_all(dataset: &Dataset, session: &mut Session<'_>, options: &AnswerOptions) -> Result<Answered> {
    let mut answered = Answered::default();
    let mut progress = Progress::new(dataset.questions().count());
    let mut best = [Answer::default()];
    for (paragraph, question) in dataset.questions() {
        let mut text = "";
        match session.answer(&question.question, &paragraph.context, options, &mut best) {
            Ok(outcome) => {
                answered.windows += outcome.windows;
                let found = best.first().filter(|_| outcome.answers > 0);
                text = found.and_then(|best| paragraph.context.get(best.start..best.end)).unwrap_or_default();
            }
            Err(
                error @ (Error::EmptyQuestion
                | Error::EmptyPassage
                | Error::QuestionTooLong { .. }
                | Error::TextTooLong),
            ) => {
                answered.unanswerable += 1;
                answered.first_unanswerable.get_or_insert_with(|| format!("{}: {error}", question.id));
            }
            Err(error) => return Err(error).with_context(|| format!("question {}", question.id)),
        }
        answered.predictions.insert(question.id.clone(), text.to_owned());
        progress.step();
    }
    answered.per_second = progress.per_second();
    Ok(answered)
}
