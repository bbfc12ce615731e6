//! The caller's bytes, cut into the buffers of a forward pass.

use blockspan_kernels::layout::{TILE, TokenTiles};
use blockspan_kernels::parallel::MAX_THREADS;

use crate::error::Error;

/// Every buffer starts at a multiple of this.
const ALIGN: usize = 64;

/// The most parts that the outputs of one tile are split in.
pub(crate) const MAX_PARTS: usize = 16;

/// What a workspace must hold. [`crate::Model::workspace_len`] answers for a model at hand; this is for shapes that
/// are known when the program is compiled:
///
/// ```
/// use std::sync::Mutex;
/// use blockspan_engine::{AlignedBytes, Model, Session, WorkspaceSpec};
///
/// const SPEC: WorkspaceSpec =
///     WorkspaceSpec { hidden: 384, intermediate: 1536, heads: 12, max_seq_len: 64, threads: 1 };
/// static WORKSPACE: Mutex<[u8; SPEC.bytes()]> = Mutex::new([0; SPEC.bytes()]);
///
/// let file = AlignedBytes::read_file("../fixtures/default.bspan")?;
/// let model = Model::parse(&file)?;
/// assert_eq!(model.workspace_len(64, 1), SPEC.bytes());
/// let mut workspace = WORKSPACE.lock()?;
/// let session = Session::with(&model, 64, &mut *workspace, Default::default())?;
/// # drop(session);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkspaceSpec {
    /// The model's [`hidden`](crate::format::Config::hidden).
    pub hidden: usize,
    /// The model's [`intermediate`](crate::format::Config::intermediate).
    pub intermediate: usize,
    /// The model's [`heads`](crate::format::Config::heads).
    pub heads: usize,
    /// Tokens of the longest window: question, passage and three special tokens.
    pub max_seq_len: usize,
    /// Threads, 1 to [`MAX_THREADS`]; numbers outside count as the nearest of these.
    pub threads: usize,
}

impl WorkspaceSpec {
    /// The length of a workspace, which may start anywhere in memory; `usize::MAX` if that is too little to count it.
    pub const fn bytes(&self) -> usize {
        // No model is as large, and up to here nothing below overflows.
        const MOST: usize = 1 << 20;
        let Self { hidden, intermediate, heads, max_seq_len, .. } = *self;
        if hidden > MOST || intermediate > MOST || heads > MOST || max_seq_len > MOST {
            return usize::MAX;
        }
        let threads = match self.threads {
            0 => 1,
            threads if threads > MAX_THREADS => MAX_THREADS,
            threads => threads,
        };
        // Room to align the start is included.
        let bytes = ALIGN as u64 + Lengths::new(self).bytes() + (slot_bytes(max_seq_len) * threads as u64);
        if bytes > usize::MAX as u64 { usize::MAX } else { bytes as usize }
    }
}

/// Elements of the buffers, each rounded up so that the next one is aligned.
struct Lengths {
    tokens: usize,
    padded: usize,
    hidden: usize,
    wide: usize,
    intermediate: usize,
    heads: usize,
}

impl Lengths {
    const fn new(spec: &WorkspaceSpec) -> Self {
        let tripled = 3 * spec.hidden;
        let wide = if tripled > spec.intermediate { tripled } else { spec.intermediate };
        Self {
            tokens: spec.max_seq_len,
            // A window of fewer tokens may pad up to a whole tile where the longest one pads to 16 lanes.
            padded: spec.max_seq_len.next_multiple_of(TILE),
            hidden: spec.hidden,
            wide,
            intermediate: spec.intermediate,
            heads: spec.heads,
        }
    }

    /// Bytes of all of them, in 64 bits: an extreme header must not overflow a 32-bit machine's `usize`.
    const fn bytes(&self) -> u64 {
        let (p, hidden, heads) = (self.padded as u64, self.hidden as u64, self.heads as u64);
        aligned64(4 * p * hidden)
            + aligned64(4 * p * self.wide as u64)
            + aligned64(p * self.intermediate as u64)
            + 4 * aligned64(p * hidden)
            + 2 * aligned64(4 * p * MAX_PARTS as u64)
            + 3 * aligned64(4 * p * heads)
            + 2 * aligned64(4 * hidden)
            + aligned64(8 * p)
            + 2 * aligned64(4 * self.tokens as u64)
            + 2 * aligned64(8 * self.tokens as u64)
    }
}

const fn aligned64(bytes: u64) -> u64 {
    bytes.next_multiple_of(ALIGN as u64)
}

const fn aligned(bytes: usize) -> usize {
    bytes.next_multiple_of(ALIGN)
}

/// Bytes that one thread's attention needs: scores and probabilities of one tile of queries.
const fn slot_bytes(max_tokens: usize) -> u64 {
    let scores = (max_tokens.next_multiple_of(4) * TILE) as u64;
    aligned64(2 * scores) + aligned64(scores)
}

/// Buffers for windows of up to `max_tokens` tokens; see `forward` for what each holds when.
#[derive(Debug)]
pub(crate) struct Buffers<'w> {
    pub max_tokens: usize,
    /// `[tile][hidden][lane]`: the residual stream.
    pub hidden: &'w mut [f32],
    /// `[tile][intermediate][lane]`, or query, key and value as three times `[tile][hidden][lane]`.
    pub wide: &'w mut [f32],
    /// int8 input of a product of `hidden` inputs, rows or quads of a tile.
    pub input: &'w mut [i8],
    /// int8 input of the output product, `intermediate` inputs.
    pub inner: &'w mut [i8],
    /// Quads, `[tile][head][head_dim / 4][lane][4]`.
    pub query: &'w mut [i8],
    /// Tokens, `[tile][head][lane][head_dim]`.
    pub key: &'w mut [i8],
    /// `[hidden][key]`.
    pub value: &'w mut [i8],
    /// `[tile][part][lane]`.
    pub scales: &'w mut [f32],
    /// `[tile][part][lane]`.
    pub absmax: &'w mut [f32],
    /// `[tile][head][lane]`.
    pub query_scales: &'w mut [f32],
    /// `[tile][head][lane]`.
    pub key_scales: &'w mut [f32],
    /// `[tile][head][lane]`.
    pub key_sums: &'w mut [i32],
    /// `[hidden]`.
    pub value_scales: &'w mut [f32],
    /// `[hidden]`.
    pub value_sums: &'w mut [i32],
    /// `[tile][2][lane]`.
    pub logits: &'w mut [f32],
    /// `[token]`.
    pub start_logits: &'w mut [f32],
    /// `[token]`.
    pub end_logits: &'w mut [f32],
    /// `[token]`: word piece and segment.
    pub ids: &'w mut [[u32; 2]],
    /// `[passage token]`: byte offsets in the passage.
    pub offsets: &'w mut [[u32; 2]],
    /// One slot per thread.
    pub slots: Slots<'w>,
}

/// Scratch of attention, `count` slots of scores and of probabilities.
#[derive(Debug)]
pub(crate) struct Slots<'w> {
    pub scores: &'w mut [i16],
    pub scores_each: usize,
    pub probabilities: &'w mut [u8],
    pub probabilities_each: usize,
}

impl<'w> Buffers<'w> {
    /// Cuts `workspace`, which is to be as long as `spec` says.
    pub fn new(spec: &WorkspaceSpec, workspace: &'w mut [u8]) -> Result<Self, Error> {
        let too_small = Error::WorkspaceTooSmall { needed: spec.bytes(), found: workspace.len() };
        if workspace.len() < spec.bytes() {
            return Err(too_small);
        }
        let (lengths, max_tokens) = (Lengths::new(spec), spec.max_seq_len);
        let mut rest = Carver::new(workspace).ok_or(too_small)?;
        let (p, tokens) = (lengths.padded, lengths.tokens);
        let mut cut = || -> Option<Self> {
            Some(Self {
                max_tokens,
                hidden: rest.take(p, lengths.hidden)?,
                wide: rest.take(p, lengths.wide)?,
                input: rest.take(p, lengths.hidden)?,
                inner: rest.take(p, lengths.intermediate)?,
                query: rest.take(p, lengths.hidden)?,
                key: rest.take(p, lengths.hidden)?,
                value: rest.take(p, lengths.hidden)?,
                scales: rest.take(p, MAX_PARTS)?,
                absmax: rest.take(p, MAX_PARTS)?,
                query_scales: rest.take(p, lengths.heads)?,
                key_scales: rest.take(p, lengths.heads)?,
                key_sums: rest.take(p, lengths.heads)?,
                value_scales: rest.take(1, lengths.hidden)?,
                value_sums: rest.take(1, lengths.hidden)?,
                logits: rest.take(2, p)?,
                start_logits: rest.take(1, tokens)?,
                end_logits: rest.take(1, tokens)?,
                ids: rest.take(1, tokens)?,
                offsets: rest.take(1, tokens)?,
                slots: rest.slots(max_tokens, spec.threads)?,
            })
        };
        cut().ok_or(too_small)
    }

    /// The start of a buffer, as long as the tiles of a sequence need.
    pub fn of_tiles<T>(buffer: &mut [T], tiles: TokenTiles, features: usize) -> &mut [T] {
        buffer.get_mut(..tiles.offset(tiles.count(), features)).unwrap_or_default()
    }
}

/// Takes aligned buffers off the front of the workspace.
struct Carver<'w> {
    rest: &'w mut [u8],
}

impl<'w> Carver<'w> {
    fn new(workspace: &'w mut [u8]) -> Option<Self> {
        let skip = workspace.as_ptr().addr().wrapping_neg() % ALIGN;
        Some(Self { rest: workspace.get_mut(skip..)? })
    }

    /// `rows · cols` elements.
    fn take<T: bytemuck::Pod>(&mut self, rows: usize, cols: usize) -> Option<&'w mut [T]> {
        let bytes = size_of::<T>().checked_mul(rows.checked_mul(cols)?)?;
        let (taken, rest) = core::mem::take(&mut self.rest).split_at_mut_checked(aligned(bytes))?;
        self.rest = rest;
        bytemuck::try_cast_slice_mut(taken.get_mut(..bytes)?).ok()
    }

    fn slots(&mut self, max_tokens: usize, count: usize) -> Option<Slots<'w>> {
        let each = max_tokens.next_multiple_of(4) * TILE;
        Some(Slots {
            scores: self.take(count, each)?,
            scores_each: each,
            probabilities: self.take(count, each)?,
            probabilities_each: each,
        })
    }
}
