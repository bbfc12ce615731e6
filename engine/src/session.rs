//! Questions to answers, in the caller's workspace.

use blockspan_kernels::Kernels;
use blockspan_kernels::layout::TokenTiles;

use crate::answer::{Answer, AnswerOptions, Outcome};
use crate::error::Error;
use crate::format::Config;
use crate::forward::Pass;
use crate::model::Model;
use crate::sequences::Sequences;
use crate::span::{Candidate, MAX_N_BEST, SpanPool};
use crate::utf8::utf8;
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
        let mut best = [Candidate::default(); MAX_N_BEST];
        let kept = best.get_mut(..options.n_best).unwrap_or_default();
        let mut pool = SpanPool::new(kept, options.n_best, options.max_answer_len);
        let ids = core::mem::take(&mut self.buffers.ids);
        let offsets = core::mem::take(&mut self.buffers.offsets);
        let windows = self.read(question, passage, options, ids, offsets, &mut pool);
        (self.buffers.ids, self.buffers.offsets) = (ids, offsets);
        Ok(Outcome::new(passage, &pool, windows?, options, answers))
    }

    /// Gives the pool every window of the passage; returns how many there are.
    fn read(
        &mut self,
        question: &str,
        passage: &str,
        options: &AnswerOptions,
        ids: &mut [[u32; 2]],
        offsets: &mut [[u32; 2]],
        pool: &mut SpanPool<'_>,
    ) -> Result<usize, Error> {
        let mut sequences = Sequences::new(self.model, question, passage, options, ids, offsets)?;
        let mut count = 0;
        while let Some(sequence) = sequences.next() {
            let (start_logits, end_logits) = self.run(sequence.ids)?;
            pool.add_window(&sequence.window(start_logits, end_logits));
            count += 1;
        }
        Ok(count)
    }

    /// The start and end logits of a sequence: word piece and segment of each token, as pairs or as [`Sequences`]
    /// gives them.
    ///
    /// # Errors
    /// [`Error::MaxSeqLen`] for an empty sequence or one that is longer than the session's windows;
    /// [`Error::Token`] for an id or segment that the model does not have.
    pub fn logits<T: Copy + Into<[u32; 2]>>(&mut self, ids: &[T]) -> Result<(&[f32], &[f32]), Error> {
        let most = self.buffers.max_tokens;
        let too_long = Error::MaxSeqLen { asked: ids.len(), most };
        if ids.is_empty() {
            return Err(too_long);
        }
        let config = self.model.config();
        for [id, segment] in ids.iter().map(|&token| token.into()) {
            if id as usize >= config.vocab || segment as usize >= config.token_types {
                return Err(Error::Token(id));
            }
        }
        let buffer = core::mem::take(&mut self.buffers.ids);
        let count = match buffer.get_mut(..ids.len()) {
            Some(slots) => {
                slots.iter_mut().zip(ids).for_each(|(slot, &token)| *slot = token.into());
                self.run(slots).map(|(starts, _)| starts.len())
            }
            None => Err(too_long),
        };
        self.buffers.ids = buffer;
        self.results(count?)
    }

    /// The forward pass over a sequence.
    fn run(&mut self, ids: &[[u32; 2]]) -> Result<(&[f32], &[f32]), Error> {
        let pass = Pass {
            model: self.model,
            kernels: self.runtime.kernels,
            parallel: self.runtime.parallel,
            tiles: TokenTiles::new(ids.len()),
            ids,
        };
        pass.run(&mut self.buffers)?;
        self.results(ids.len())
    }

    /// The logits of the last pass.
    fn results(&self, count: usize) -> Result<(&[f32], &[f32]), Error> {
        let starts = self.buffers.start_logits.get(..count).ok_or(Error::Internal)?;
        let ends = self.buffers.end_logits.get(..count).ok_or(Error::Internal)?;
        Ok((starts, ends))
    }
}
