//! The demonstration itself, the same on every board and on the host (`examples/demonstration.rs` of the engine):
//! a fixed question, the answers, and the bits of their numbers.

use core::fmt::{self, Display, Write};

use blockspan_engine::tokenizer::Token;
use blockspan_engine::{Answer, AnswerOptions, Kernels, Model, Runtime, Serial, Session};

/// Tokens of a window: the passage takes two.
const MAX_TOKENS: usize = 64;

/// Tokens that the windows share.
const DOC_STRIDE: usize = 16;

const QUESTION: &str = "Who opened the café by the bridge, and when?";

/// Two-, three- and four-byte characters, so that bytes and characters differ.
const PASSAGE: &str = "The old bridge across the river was built in 1862. Café Zoé — crème brûlée for €5 😀 — was \
    opened beside it by Hélène Brûlé of Łódź in the spring of 1791; “très bon”, said 王小明, who paid for ninety \
    thousand of them within a month.";

/// Answers the question and writes what there is to compare, a line for each answer and each token.
///
/// # Errors
/// The writer's; any other was written.
pub fn run(model: &[u8], workspace: &mut [u8], kernels: &dyn Kernels, out: &mut dyn Write) -> fmt::Result {
    let model = match Model::parse(model) {
        Ok(model) => model,
        Err(error) => return fail(&error, out),
    };
    let runtime = Runtime { kernels, parallel: &Serial };
    let mut session = match Session::with(&model, MAX_TOKENS, workspace, runtime) {
        Ok(session) => session,
        Err(error) => return fail(&error, out),
    };

    writeln!(out, "question: {QUESTION}")?;
    let options = AnswerOptions { doc_stride: Some(DOC_STRIDE), ..AnswerOptions::default() };
    let mut answers = [Answer::default(); 3];
    let outcome = match session.answer(QUESTION, PASSAGE, &options, &mut answers) {
        Ok(outcome) => outcome,
        Err(error) => return fail(&error, out),
    };
    for answer in answers.iter().take(outcome.answers) {
        let text = PASSAGE.get(answer.start..answer.end).unwrap_or_default();
        writeln!(
            out,
            "answer: {text}\n  bytes {}..{}, characters {}..{}, score {:08x}, start {:08x}, end {:08x}",
            answer.start,
            answer.end,
            answer.start_char,
            answer.end_char,
            answer.score.to_bits(),
            answer.start_logit.to_bits(),
            answer.end_logit.to_bits()
        )?;
    }
    writeln!(out, "windows: {}, null_diff {:08x}", outcome.windows, outcome.null_diff.to_bits())?;

    let mut ids = [(0, 0); MAX_TOKENS];
    let count = first_window(&model, &mut ids);
    let (start_logits, end_logits) = match session.logits(ids.get(..count).unwrap_or_default()) {
        Ok(logits) => logits,
        Err(error) => return fail(&error, out),
    };
    for ((id, _), (start, end)) in ids.iter().zip(start_logits.iter().zip(end_logits)) {
        writeln!(out, "token {id}: start {:08x}, end {:08x}", start.to_bits(), end.to_bits())?;
    }
    Ok(())
}

/// `[CLS] question [SEP] passage`, as much of it as `ids` holds; returns the number of tokens.
#[inline(never)] // So that the session does not run on top of the tokenizers' frame.
fn first_window(model: &Model<'_>, ids: &mut [(u32, u32)]) -> usize {
    let (tokenizer, special) = (model.tokenizer(), model.config().special);
    let id = |token: Token| token.id;
    let question = [special.cls].into_iter().chain(tokenizer.tokens(QUESTION).map(id)).chain([special.sep]);
    let passage = tokenizer.tokens(PASSAGE).map(id);
    let both = question.map(|id| (id, 0)).chain(passage.map(|id| (id, 1)));
    ids.iter_mut().zip(both).map(|(slot, id)| *slot = id).count()
}

fn fail(error: &dyn Display, out: &mut dyn Write) -> fmt::Result {
    writeln!(out, "error: {error}")?;
    Err(fmt::Error)
}
