//! When a packed model should say that a passage holds no answer: a threshold of `null_diff`, and the probability that
//! follows from `null_diff`, both written into the file's metadata.

mod logistic;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use blockspan_engine::{Answer, AnswerOptions, Error, Model, Runtime, Session};
use blockspan_squad::{Dataset, Separation, separation, twins};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rayon::prelude::*;

/// What was measured, and what follows from it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recommendation {
    /// Over the questions and their twins; the threshold is that of [`Separation::best_f1`].
    pub measured: Separation,
    /// F1 over both kinds where every question is answered, in percent.
    pub always: f64,
    /// Of the logistic function that gives the probability of an answer.
    pub slope: f32,
    /// See [`slope`](Self::slope).
    pub intercept: f32,
}

impl Recommendation {
    /// The threshold.
    pub fn null_threshold(&self) -> f32 {
        self.measured.best_f1.threshold as f32
    }
}

/// Keeps at most `most` questions of a data set, drawn by `seed`; all paragraphs stay.
pub fn sample(dataset: &mut Dataset, most: usize, seed: u64) {
    let total = dataset.questions().count();
    if total <= most {
        return;
    }
    let drawn = rand::seq::index::sample(&mut StdRng::seed_from_u64(seed), total, most);
    let kept: BTreeSet<usize> = drawn.into_iter().collect();
    let mut number = 0..;
    for paragraph in &mut dataset.paragraphs {
        paragraph.questions.retain(|_| number.next().is_some_and(|number| kept.contains(&number)));
    }
}

/// Asks the packed model each question, and each that has an answer once more on another paragraph that does not answer
/// it ([`twins`], drawn by `seed`); finds the threshold that makes F1 over both kinds best, and the probability.
///
/// # Errors
/// A data set that is not labeled or has only one kind of questions, also with their twins; a model that cannot tell the
/// two kinds apart.
pub fn recommend(model: &Model<'_>, dataset: &Dataset, seed: u64) -> Result<Recommendation> {
    dataset.check_labeled()?;
    let both = twins(dataset, seed);
    let (answers, odds) = ask_all(model, &both)?;
    let measured = separation(&both, &answers, &odds, 0.0);
    let auroc = measured.auroc.context(
        "no question has another paragraph to ask it on; give a file with articles of several paragraphs",
    )?;
    let truths = both.questions().map(|(_, question)| (&question.id, !question.is_unanswerable()));
    let examples: Vec<(f64, bool)> = truths.filter_map(|(id, truth)| Some((*odds.get(id)?, truth))).collect();
    let (slope, intercept) = logistic::fit(&examples);
    ensure!(
        slope < 0.0 && auroc > 0.5,
        "null_diff is no higher where there is no answer (AUROC {auroc:.4}): train the model with \
         --unanswerable-rate"
    );
    Ok(Recommendation {
        measured,
        always: separation(&both, &answers, &odds, f64::INFINITY).f1,
        slope: slope as f32,
        intercept: intercept as f32,
    })
}

/// The best answers and the null differences, by question id. Questions that cannot be asked are in neither.
fn ask_all(
    model: &Model<'_>,
    dataset: &Dataset,
) -> Result<(BTreeMap<String, String>, BTreeMap<String, f64>)> {
    let max_seq_len = model.config().max_seq_len;
    let workspace = || vec![0; model.workspace_len(max_seq_len, 1)];
    let questions: Vec<_> = dataset.questions().collect();
    let asked = questions.par_iter().map_init(workspace, |workspace, (paragraph, question)| {
        let mut session = Session::with(model, max_seq_len, workspace, Runtime::default())?;
        let (mut best, options) = ([Answer::default()], AnswerOptions::default());
        match session.answer(&question.question, &paragraph.context, &options, &mut best) {
            Ok(outcome) => {
                let text = paragraph.context.get(best[0].start..best[0].end).unwrap_or_default();
                Ok(Some((question.id.clone(), text.to_owned(), f64::from(outcome.null_diff))))
            }
            Err(
                Error::EmptyQuestion
                | Error::EmptyPassage
                | Error::QuestionTooLong { .. }
                | Error::TextTooLong,
            ) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("question {}", question.id)),
        }
    });
    let asked: Vec<_> = asked.collect::<Result<_>>()?;
    let (mut answers, mut odds) = (BTreeMap::new(), BTreeMap::new());
    for (id, text, null_diff) in asked.into_iter().flatten() {
        answers.insert(id.clone(), text);
        odds.insert(id, null_diff);
    }
    Ok((answers, odds))
}
