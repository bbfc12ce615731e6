//! A question and a passage as the sequences that the network reads.

use crate::answer::AnswerOptions;
use crate::error::Error;
use crate::model::Model;
use crate::tokenizer::Tokens;
use crate::windows::{Sequence, Windows};

/// `[CLS]`, and `[SEP]` after the question and after the passage.
const SPECIAL_TOKENS: usize = 3;

/// The sequences `[CLS] question [SEP] window [SEP]` of a passage of any length, one after the other in one buffer.
///
/// [`crate::Session::answer`] reads them one by one. With [`crate::Session::logits`], a
/// [`crate::span::SpanPool`] and [`crate::Outcome::new`] a program may do the same in another way, for example on several
/// sessions; as long as the pool gets the windows in this order, every bit of the answers is the same.
pub struct Sequences<'b, 't, 'a> {
    windows: Windows<'b, Tokens<'t, 'a>>,
}

impl<'b, 't, 'a> Sequences<'b, 't, 'a> {
    /// Sequences of up to `ids.len()` tokens. `offsets` is as long as `ids`.
    ///
    /// # Errors
    /// [`Error::InvalidOption`], [`Error::TextTooLong`], [`Error::EmptyQuestion`], [`Error::QuestionTooLong`],
    /// [`Error::EmptyPassage`].
    pub fn new(
        model: &'t Model<'a>,
        question: &str,
        passage: &'t str,
        options: &AnswerOptions,
        ids: &'b mut [[u32; 2]],
        offsets: &'b mut [[u32; 2]],
    ) -> Result<Self, Error> {
        options.check()?;
        if u32::try_from(question.len()).is_err() || u32::try_from(passage.len()).is_err() {
            return Err(Error::TextTooLong);
        }
        let config = model.config();
        let overlap = options.doc_stride.unwrap_or(config.doc_stride_for(ids.len()));
        let question_len = read_question(model, question, options.max_query_length, overlap, ids)?;
        let tokens = model.tokenizer().tokens(passage);
        // Behind `[CLS]`, the question and `[SEP]`.
        let mut windows = Windows::new(tokens, ids, offsets, question_len + 2, config.special.sep, overlap);
        if windows.is_empty() {
            return Err(Error::EmptyPassage);
        }
        Ok(Self { windows })
    }

    /// The next sequence.
    #[expect(
        clippy::should_implement_trait,
        reason = "what it returns borrows the buffer that it fills again"
    )]
    pub fn next(&mut self) -> Option<Sequence<'_>> {
        self.windows.next()
    }
}

impl core::fmt::Debug for Sequences<'_, '_, '_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Sequences").finish_non_exhaustive()
    }
}

/// Puts `[CLS] question [SEP]` at the start of the ids if the rest has room for the windows' overlap; returns
/// the question's tokens, at most `max_query_length`.
///
/// A function of its own, not inlined: the tokenizer's state would double the frame that the forward pass
/// stands on.
#[inline(never)]
fn read_question(
    model: &Model<'_>,
    question: &str,
    max_query_length: usize,
    overlap: usize,
    ids: &mut [[u32; 2]],
) -> Result<usize, Error> {
    let count = model.tokenizer().tokens(question).take(max_query_length).count();
    if count == 0 {
        return Err(Error::EmptyQuestion);
    }
    let most = ids.len().saturating_sub((SPECIAL_TOKENS + 1).saturating_add(overlap));
    if count > most {
        return Err(Error::QuestionTooLong { tokens: count, most });
    }
    let special = model.config().special;
    let tokens = model.tokenizer().tokens(question).take(count).map(|token| token.id);
    let mut slots = ids.iter_mut();
    for id in [special.cls].into_iter().chain(tokens).chain([special.sep]) {
        *slots.next().ok_or(Error::Internal)? = [id, 0];
    }
    Ok(count)
}
