//! Questions to answers, in the caller's workspace.

use blockspan_kernels::layout::TokenTiles;
use blockspan_kernels::{Kernels, math};

use crate::answer::{Answer, AnswerOptions, Outcome};
use crate::error::Error;
use crate::format::Config;
use crate::forward::Pass;
use crate::model::Model;
use crate::span::{Candidate, MAX_N_BEST, SpanPool, Window};
use crate::utf8::utf8;
use crate::windows::Windows;
use crate::workspace::{Buffers, WorkspaceSpec};
use crate::{MAX_THREADS, Parallel, Serial};

/// Which kernels compute and where tasks run.
#[derive(Clone, Copy)]
pub struct Runtime<'r> {
    /// One instruction set's kernels.
    pub kernels: &'r dyn Kernels,
    /// Threads, at most [`MAX_THREADS`].
    pub parallel: &'r dyn Parallel,
}

impl Default for Runtime<'_> {
    /// The best kernels for this machine, on the caller's thread.
    fn default() -> Self {
        Self { kernels: blockspan_kernels::best(), parallel: &Serial }
    }
}

impl core::fmt::Debug for Runtime<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let threads = self.parallel.threads();
        f.debug_struct("Runtime").field("isa", &self.kernels.isa()).field("threads", &threads).finish()
    }
}

/// Answers questions with one model in one workspace.
#[derive(Debug)]
pub struct Session<'s> {
    model: &'s Model<'s>,
    runtime: Runtime<'s>,
    buffers: Buffers<'s>,
}

/// `[CLS]`, and `[SEP]` after the question and after the passage.
const SPECIAL_TOKENS: usize = 3;

impl<'s> Session<'s> {
    /// A session with windows of the model's `max_seq_len`, on the caller's thread.
    ///
    /// # Errors
    /// [`Error::WorkspaceTooSmall`] if `workspace` is shorter than `model.workspace_len(max_seq_len, 1)`.
    pub fn new(model: &'s Model<'s>, workspace: &'s mut [u8]) -> Result<Self, Error> {
        Self::with(model, model.config().max_seq_len, workspace, Runtime::default())
    }

    /// A session with windows of up to `max_seq_len` tokens.
    ///
    /// # Errors
    /// [`Error::MaxSeqLen`] if the model has fewer positions; [`Error::Threads`] for more than [`MAX_THREADS`];
    /// [`Error::WorkspaceTooSmall`] if `workspace` is shorter than `model.workspace_len(max_seq_len, threads)` with
    /// the threads of `runtime`.
    pub fn with(
        model: &'s Model<'s>,
        max_seq_len: usize,
        workspace: &'s mut [u8],
        runtime: Runtime<'s>,
    ) -> Result<Self, Error> {
        let most = model.config().max_positions;
        if max_seq_len < 8 || max_seq_len > most {
            return Err(Error::MaxSeqLen { asked: max_seq_len, most });
        }
        let threads = runtime.parallel.threads().max(1);
        if threads > MAX_THREADS {
            return Err(Error::Threads { asked: threads, most: MAX_THREADS });
        }
        let &Config { hidden, intermediate, heads, .. } = model.config();
        let spec = WorkspaceSpec { hidden, intermediate, heads, max_seq_len, threads };
        let buffers = Buffers::new(&spec, workspace)?;
        Ok(Self { model, runtime, buffers })
    }

    /// The model.
    pub fn model(&self) -> &'s Model<'s> {
        self.model
    }

    /// As [`answer`](Self::answer), for texts that may not be UTF-8: from a wire, a file or C.
    ///
    /// # Errors
    /// [`Error::InvalidUtf8`] with the text and the byte; else as `answer`.
    pub fn answer_bytes(
        &mut self,
        question: &[u8],
        passage: &[u8],
        options: &AnswerOptions,
        answers: &mut [Answer],
    ) -> Result<Outcome, Error> {
        self.answer(utf8(question, "question")?, utf8(passage, "passage")?, options, answers)
    }

    /// Answers a question from a passage of any length; writes at most `answers.len()` answers, best first.
    ///
    /// # Errors
    /// [`Error::InvalidOption`], [`Error::EmptyQuestion`], [`Error::EmptyPassage`], [`Error::QuestionTooLong`],
    /// [`Error::TextTooLong`].
    pub fn answer(
        &mut self,
        question: &str,
        passage: &str,
        options: &AnswerOptions,
        answers: &mut [Answer],
    ) -> Result<Outcome, Error> {
        options.check()?;
        if u32::try_from(question.len()).is_err() || u32::try_from(passage.len()).is_err() {
            return Err(Error::TextTooLong);
        }
        let model = self.model;
        let (tokenizer, special) = (model.tokenizer(), model.config().special);
        let overlap = options.doc_stride.unwrap_or(model.config().doc_stride_for(self.buffers.max_tokens));
        let question_len = self.read_question(question, options.max_query_length, overlap)?;
        let capacity = self.buffers.max_tokens - SPECIAL_TOKENS - question_len;
        let mut best = [Candidate::default(); MAX_N_BEST];
        let kept = best.get_mut(..options.n_best).unwrap_or_default();
        let mut pool = SpanPool::new(kept, options.n_best, options.max_answer_len);

        let Buffers { passage_ids, offsets, .. } = &mut self.buffers;
        let passage_ids = core::mem::take(passage_ids);
        let offsets = core::mem::take(offsets);
        let mut windows = Windows::new(
            tokenizer.tokens(passage),
            passage_ids.get_mut(..capacity).ok_or(Error::Internal)?,
            offsets.get_mut(..capacity).ok_or(Error::Internal)?,
            overlap,
        );
        let mut count = 0;
        let mut result = Ok(());
        while let Some((ids, offsets)) = windows.next() {
            result = self.window(question_len, ids, offsets, special.sep, &mut pool);
            if result.is_err() {
                break;
            }
            count += 1;
        }
        (self.buffers.passage_ids, self.buffers.offsets) = (passage_ids, offsets);
        result?;
        Ok(finish(passage, &pool, count, options, answers))
    }

    /// The start and end logits of a sequence, given as word pieces and segments.
    ///
    /// # Errors
    /// [`Error::MaxSeqLen`] for an empty sequence or one that is longer than the session's windows;
    /// [`Error::Token`] for an id or segment that the model does not have.
    pub fn logits(&mut self, ids: &[(u32, u32)]) -> Result<(&[f32], &[f32]), Error> {
        let most = self.buffers.max_tokens;
        let too_long = Error::MaxSeqLen { asked: ids.len(), most };
        if ids.is_empty() {
            return Err(too_long);
        }
        let config = self.model.config();
        if let Some(&(id, _)) = ids
            .iter()
            .find(|(id, segment)| *id as usize >= config.vocab || *segment as usize >= config.token_types)
        {
            return Err(Error::Token(id));
        }
        let slots = self.buffers.ids.get_mut(..ids.len()).ok_or(too_long)?;
        slots.iter_mut().zip(ids).for_each(|(slot, &(id, segment))| *slot = [id, segment]);
        self.run(ids.len())
    }

    /// Puts `[CLS] question [SEP]` at the start of the ids if the rest has room for the windows' overlap; returns
    /// the question's tokens, at most `max_query_length`.
    ///
    /// A function of its own, not inlined: the tokenizer's state would double the frame that the forward pass
    /// stands on.
    #[inline(never)]
    fn read_question(
        &mut self,
        question: &str,
        max_query_length: usize,
        overlap: usize,
    ) -> Result<usize, Error> {
        let count = self.model.tokenizer().tokens(question).take(max_query_length).count();
        if count == 0 {
            return Err(Error::EmptyQuestion);
        }
        let most = self.buffers.max_tokens.saturating_sub((SPECIAL_TOKENS + 1).saturating_add(overlap));
        if count > most {
            return Err(Error::QuestionTooLong { tokens: count, most });
        }
        let special = self.model.config().special;
        let tokens = self.model.tokenizer().tokens(question).take(count).map(|token| token.id);
        let mut slots = self.buffers.ids.iter_mut();
        for id in [special.cls].into_iter().chain(tokens).chain([special.sep]) {
            *slots.next().ok_or(Error::Internal)? = [id, 0];
        }
        Ok(count)
    }

    /// One window: the passage's tokens behind the question's, forward pass, spans.
    fn window(
        &mut self,
        question_len: usize,
        ids: &[u32],
        offsets: &[[u32; 2]],
        sep: u32,
        pool: &mut SpanPool<'_>,
    ) -> Result<(), Error> {
        if ids.is_empty() {
            return Err(Error::EmptyPassage);
        }
        let first = question_len + 2;
        let slots = self.buffers.ids.get_mut(first..first + ids.len() + 1).ok_or(Error::Internal)?;
        let tokens = ids.iter().copied().chain([sep]);
        slots.iter_mut().zip(tokens).for_each(|(slot, id)| *slot = [id, 1]);
        let (start_logits, end_logits) = self.run(first + ids.len() + 1)?;
        pool.add_window(&Window { start_logits, end_logits, passage: first..first + ids.len(), offsets });
        Ok(())
    }

    /// The forward pass over the first `count` ids.
    fn run(&mut self, count: usize) -> Result<(&[f32], &[f32]), Error> {
        let pass = Pass {
            model: self.model,
            kernels: self.runtime.kernels,
            parallel: self.runtime.parallel,
            tiles: TokenTiles::new(count),
        };
        pass.run(&mut self.buffers)?;
        let starts = self.buffers.start_logits.get(..count).ok_or(Error::Internal)?;
        let ends = self.buffers.end_logits.get(..count).ok_or(Error::Internal)?;
        Ok((starts, ends))
    }
}

/// The pool's spans as answers: character offsets and probabilities.
fn finish(
    passage: &str,
    pool: &SpanPool<'_>,
    windows: usize,
    options: &AnswerOptions,
    answers: &mut [Answer],
) -> Outcome {
    let (spans, null_score) = (pool.candidates(), pool.null_score());
    let best = spans.first().map_or(0.0, Candidate::score);
    let null_logits = pool.null_logits();
    let mut outcome = Outcome { answers: 0, null_diff: null_score - best, null_logits, windows };
    if outcome.null_diff > options.null_threshold {
        return outcome;
    }
    // As `run_qa.py` does: the null answer is one of the n best, and stays in the softmax if it is not.
    let null_possible = options.null_threshold < f32::INFINITY;
    let spans = match spans.split_last() {
        Some((worst, others))
            if null_possible
                && !others.is_empty()
                && spans.len() >= options.n_best
                && null_score > worst.score() =>
        {
            others
        }
        _ => spans,
    };
    let top = if null_possible { best.max(null_score) } else { best };
    let null = if null_possible { math::exp(null_score - top) } else { 0.0 };
    let total = spans.iter().fold(null, |total, span| total + math::exp(span.score() - top));
    for (answer, span) in answers.iter_mut().zip(spans) {
        let (start, end) = (span.start as usize, span.end as usize);
        let start_char = characters(passage, 0, start);
        *answer = Answer {
            start,
            end,
            start_char,
            end_char: start_char + characters(passage, start, end),
            score: math::exp(span.score() - top) / total,
            start_logit: span.start_logit,
            end_logit: span.end_logit,
        };
        outcome.answers += 1;
    }
    outcome
}

/// Characters of `text[from..to]`: bytes that do not continue a character.
fn characters(text: &str, from: usize, to: usize) -> usize {
    text.as_bytes().get(from..to).unwrap_or(&[]).iter().filter(|&&byte| byte & 0xc0 != 0x80).count()
}
