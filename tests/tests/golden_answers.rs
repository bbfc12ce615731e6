//! The default model's answers to the committed questions: text, place and logits, equal in every bit. A question without
//! an answer has the model's best span and its null difference.
//!
//! `BLOCKSPAN_BLESS=1 cargo test --release -p blockspan-tests --test golden_answers` writes them anew, after a
//! change that is meant to alter answers.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use blockspan_engine::{Answer, AnswerOptions, Model, Session};
use blockspan_squad::Dataset;
use blockspan_tests::{default_model, fixture};
use serde::{Deserialize, Serialize};

/// The committed questions: those that always have an answer, and plain ones of which some have none.
const QUESTIONS: [&str; 2] = ["questions.json", "plain_questions.json"];

/// An answer as it is committed; logits by their bits, so that nothing is lost in print.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Golden {
    text: String,
    bytes: [usize; 2],
    chars: [usize; 2],
    start_logit_bits: u32,
    end_logit_bits: u32,
    score_bits: u32,
    null_diff_bits: u32,
}

#[test]
fn answers_equal_the_committed_ones_in_every_bit() -> Result<()> {
    let got = answer_all()?;
    let path = fixture("golden_answers.json");
    if std::env::var_os("BLOCKSPAN_BLESS").is_some() {
        std::fs::write(&path, serde_json::to_string_pretty(&got)? + "\n")?;
    }
    let expected: BTreeMap<String, Golden> = serde_json::from_slice(&std::fs::read(&path)?)
        .with_context(|| format!("{}; make it with BLOCKSPAN_BLESS=1", path.display()))?;
    assert!(expected.len() >= 90, "{} answers", expected.len());
    for (id, expected) in &expected {
        assert_eq!(got.get(id), Some(expected), "{id}");
    }
    assert_eq!(got.len(), expected.len());
    Ok(())
}

fn answer_all() -> Result<BTreeMap<String, Golden>> {
    let bytes = default_model()?;
    let model = Model::parse(&bytes)?;
    let mut workspace = vec![0; model.workspace_len(model.config().max_seq_len, 1)];
    let mut session = Session::new(&model, &mut workspace)?;
    let mut all = BTreeMap::new();
    let data: Vec<Dataset> =
        QUESTIONS.iter().map(|name| Dataset::read(fixture(name))).collect::<Result<_, _>>()?;
    for paragraph in data.iter().flat_map(|dataset| &dataset.paragraphs) {
        let context = paragraph.context.as_str();
        for question in &paragraph.questions {
            let mut best = [Answer::default()];
            let outcome =
                session.answer(&question.question, context, &AnswerOptions::default(), &mut best)?;
            assert_eq!(outcome.answers, 1, "{}", question.id);
            let [answer] = best;
            let text = context.get(answer.start..answer.end).context("offsets split a character")?;
            let chars: String =
                context.chars().skip(answer.start_char).take(answer.end_char - answer.start_char).collect();
            assert_eq!(text, chars, "{}: bytes and characters name the same text", question.id);
            let golden = Golden {
                text: text.to_owned(),
                bytes: [answer.start, answer.end],
                chars: [answer.start_char, answer.end_char],
                start_logit_bits: answer.start_logit.to_bits(),
                end_logit_bits: answer.end_logit.to_bits(),
                score_bits: answer.score.to_bits(),
                null_diff_bits: outcome.null_diff.to_bits(),
            };
            assert!(
                all.insert(question.id.clone(), golden).is_none(),
                "{}: this id occurs twice",
                question.id
            );
        }
    }
    Ok(all)
}
