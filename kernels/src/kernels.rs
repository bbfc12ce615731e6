//! The operations that every instruction set provides.

use core::fmt;
use core::ops::Range;

use crate::Isa;
use crate::matrix::{InputBlock, OutputBlock};
use crate::scalar;

/// The slices handed to a kernel do not fit each other. Nothing was computed, the output is unspecified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShapeError;

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the operands of a kernel do not fit each other")
    }
}

impl core::error::Error for ShapeError {}

/// What becomes of a product's value `y = (acc · x_scale) · w_scale + bias` on its way to the output.
#[derive(Debug)]
pub enum Epilogue<'a> {
    /// `out = y`.
    Store,
    /// `out = out · smoothing[row] + y`: the residual connection, in place.
    Add {
        /// One value per output row, 1 where the residual stream holds the plain value: what LayerNorm's result was
        /// divided by to be quantized better.
        smoothing: &'a [f32],
    },
    /// `out = y`, and `most[lane] = max(y, most[lane])`: what [`Kernels::quantize_gelu_rows`] takes.
    Most {
        /// One value per lane; the caller starts it at 0.
        most: &'a mut [f32],
    },
}

/// Dense int8 rows: keys, or values by channel.
#[derive(Clone, Copy, Debug)]
pub struct DenseRows<'a> {
    /// Row `r` is `values[r · stride ..][.. cols]`, each in [−127, 127].
    pub values: &'a [i8],
    /// Distance between rows, at least `cols`.
    pub stride: usize,
    /// Inputs of the product, a multiple of 4 up to [`crate::matrix::MAX_DIM`].
    pub cols: usize,
    /// Sum of each row's `cols` values; its length is the number of rows.
    pub sums: &'a [i32],
    /// Scale of each row.
    pub scales: &'a [f32],
}

/// An embedding table, `[row][feature]`.
#[derive(Clone, Copy, Debug)]
pub enum Table<'a> {
    /// int8 with one scale per row.
    I8 {
        /// `[row][feature]`.
        values: &'a [i8],
        /// `[row]`.
        scales: &'a [f32],
    },
    /// IEEE half precision, as bits.
    F16(&'a [u16]),
}

/// The three embedding tables of BERT.
#[derive(Clone, Copy, Debug)]
pub struct Embeddings<'a> {
    /// One row per word piece.
    pub word: Table<'a>,
    /// One row per segment.
    pub token_type: Table<'a>,
    /// One row per position.
    pub position: Table<'a>,
}

/// One instruction set's kernels.
///
/// `lanes` is 16, 32, 48 or 64 everywhere and given by the length of a per-lane slice; activation layouts are those
/// of [`crate::layout`], one tile at a time. Values in padding lanes are computed like all others and mean
/// nothing. Every method returns [`ShapeError`] rather than read or write outside a slice.
///
/// Each default method is the scalar definition; a module overrides what it does faster, with the same bits.
pub trait Kernels: Sync + fmt::Debug {
    /// The instruction set.
    fn isa(&self) -> Isa;

    /// Product with strips `strips` (4 outputs each) of an output-block matrix.
    ///
    /// `x`: rows, `[cols][row_lanes(lanes)]`, as [`Kernels::arrange_rows`] says; `x_scales`: `[lanes]`; `out`:
    /// `[4 · strips.len()][lanes]`.
    fn output_block(
        &self,
        matrix: &OutputBlock<'_>,
        strips: Range<usize>,
        x: &[i8],
        x_scales: &[f32],
        epilogue: Epilogue<'_>,
        out: &mut [f32],
    ) -> Result<(), ShapeError> {
        scalar::output_block(matrix, strips, x, x_scales, epilogue, out)
    }

    /// Product with strips `strips` (4 outputs each) of an input-block matrix.
    ///
    /// `x`: quads, `[cols / 4][lanes][4]`; `x_scales`: `[lanes]`; `out`: `[4 · strips.len()][lanes]`.
    fn input_block(
        &self,
        matrix: &InputBlock<'_>,
        strips: Range<usize>,
        x: &[i8],
        x_scales: &[f32],
        epilogue: Epilogue<'_>,
        out: &mut [f32],
    ) -> Result<(), ShapeError> {
        scalar::input_block(matrix, strips, x, x_scales, epilogue, out)
    }

    /// Rows as [`Kernels::output_block`] reads them and [`Kernels::quantize_rows`] writes them, from rows of int8 in
    /// the order of the lanes, in place; a second call turns them back. An instruction set may have an order and an
    /// offset of its own, which saves work in the product.
    ///
    /// `rows`: `[features][row_lanes(lanes)]`.
    fn arrange_rows(&self, lanes: usize, rows: &mut [i8]) {
        let _ = (lanes, rows);
    }

    /// Attention scores: `score = round((Σ x · rows) · x_scales[lane] · rows.scales[row])` with
    /// [`crate::math::to_score`], and the largest ones: `most[lane] = max(score, most[lane])`.
    ///
    /// `x`: quads of int8, `[cols / 4][lanes][4]`, whose scales contain the logarithm's base (a score is in units of
    /// 1/32 of an octave); `out`: `[rows][score_lanes(lanes)]`, `most`: `[score_lanes(lanes)]`, both in an order of the
    /// instruction set's own, that of [`Kernels::softmax`]. The caller starts `most` at `i16::MIN`.
    fn scores(
        &self,
        rows: &DenseRows<'_>,
        x: &[i8],
        x_scales: &[f32],
        most: &mut [i16],
        out: &mut [i16],
    ) -> Result<(), ShapeError> {
        scalar::scores(rows, x, x_scales, most, out)
    }

    /// Softmax over keys, quantized: `out = round(255 · 2^((score − most) / 32))` with [`crate::math::exp2_score`], and
    /// `scales[lane] = 1 / Σ out`.
    ///
    /// `scores`, `most`: as [`Kernels::scores`] leaves them; no score is above `most`. `out`: quads,
    /// `[⌈keys / 4⌉][lanes][4]`, the missing keys of the last quad 0.
    fn softmax(
        &self,
        scores: &[i16],
        most: &[i16],
        out: &mut [u8],
        scales: &mut [f32],
    ) -> Result<(), ShapeError> {
        scalar::softmax(scores, most, out, scales)
    }

    /// `out[row][lane] = (Σ x · rows) · x_scales[lane] · rows.scales[row]`: the attention's sum over values.
    ///
    /// `x`: quads of u8, `[cols / 4][lanes][4]`; `out`: `[rows][lanes]`.
    fn context(
        &self,
        rows: &DenseRows<'_>,
        x: &[u8],
        x_scales: &[f32],
        out: &mut [f32],
    ) -> Result<(), ShapeError> {
        scalar::context(rows, x, x_scales, out)
    }

    /// `absmax[lane] = max over features of |x|`. `x`: `[features][lanes]`.
    fn absmax(&self, x: &[f32], absmax: &mut [f32]) -> Result<(), ShapeError> {
        scalar::absmax(x, absmax)
    }

    /// Per-token int8, rows layout: `out = round(x · 127 / absmax)`, `scales = absmax / 127`.
    ///
    /// `x`: `[features][lanes]`; `out`: int8 `[features][row_lanes(lanes)]`, as [`Kernels::arrange_rows`] says; `absmax`,
    /// `scales`: `[lanes]`.
    fn quantize_rows(
        &self,
        x: &[f32],
        absmax: &[f32],
        out: &mut [i8],
        scales: &mut [f32],
    ) -> Result<(), ShapeError> {
        scalar::quantize_rows(x, absmax, out, scales)
    }

    /// [`Kernels::quantize_rows`] into quads, `[features / 4][lanes][4]`.
    fn quantize_quads(
        &self,
        x: &[f32],
        absmax: &[f32],
        out: &mut [i8],
        scales: &mut [f32],
    ) -> Result<(), ShapeError> {
        scalar::quantize_quads(x, absmax, out, scales)
    }

    /// [`Kernels::quantize_rows`] into token rows, `[lanes][features]`, with their sums.
    fn quantize_tokens(
        &self,
        x: &[f32],
        absmax: &[f32],
        out: &mut [i8],
        scales: &mut [f32],
        sums: &mut [i32],
    ) -> Result<(), ShapeError> {
        scalar::quantize_tokens(x, absmax, out, scales, sums)
    }

    /// GELU and [`Kernels::quantize_rows`]: `out = round(gelu(x) · 127 / absmax)` with the absmax of
    /// [`crate::math::gelu_absmax`] for the largest value, `most`.
    fn quantize_gelu_rows(
        &self,
        x: &[f32],
        most: &[f32],
        out: &mut [i8],
        scales: &mut [f32],
    ) -> Result<(), ShapeError> {
        scalar::quantize_gelu_rows(x, most, out, scales)
    }

    /// [`Kernels::quantize_gelu_rows`] into quads, `[features / 4][lanes][4]`.
    fn quantize_gelu_quads(
        &self,
        x: &[f32],
        most: &[f32],
        out: &mut [i8],
        scales: &mut [f32],
    ) -> Result<(), ShapeError> {
        scalar::quantize_gelu_quads(x, most, out, scales)
    }

    /// `absmax[channel] = max(|x|, absmax[channel])` over the first `tokens` lanes of a tile.
    ///
    /// `x`: `[channels][lanes]`; the caller starts `absmax` at 0.
    fn channel_absmax(&self, x: &[f32], tokens: usize, absmax: &mut [f32]) -> Result<(), ShapeError> {
        scalar::channel_absmax(x, tokens, absmax)
    }

    /// Per-channel int8 of a tile: `out = round(x · 127 / absmax[channel])`, 0 from lane `tokens` on, and
    /// `sums[channel] += Σ out`.
    ///
    /// `x`: `[channels][lanes]`; `out`: a row of `lanes` for each channel, `stride` apart.
    fn quantize_channels(
        &self,
        x: &[f32],
        tokens: usize,
        absmax: &[f32],
        out: &mut [i8],
        stride: usize,
        sums: &mut [i32],
    ) -> Result<(), ShapeError> {
        scalar::quantize_channels(x, tokens, absmax, out, stride, sums)
    }

    /// LayerNorm over features, in place; `absmax[lane]` becomes the largest |result|.
    ///
    /// `x`: `[features][lanes]`; `gamma`, `beta`: `[features]`.
    fn layer_norm(
        &self,
        x: &mut [f32],
        gamma: &[f32],
        beta: &[f32],
        epsilon: f32,
        absmax: &mut [f32],
    ) -> Result<(), ShapeError> {
        scalar::layer_norm(x, gamma, beta, epsilon, absmax)
    }

    /// `out[feature][lane] = (word[id] + token_type[type]) + position`, for one tile.
    ///
    /// `ids`: one `[word piece, segment]` per real lane; lanes after them become 0. The first lane has position
    /// `first_position`. `out`: `[features][lanes]`.
    fn embed(
        &self,
        tables: &Embeddings<'_>,
        ids: &[[u32; 2]],
        first_position: usize,
        lanes: usize,
        out: &mut [f32],
    ) -> Result<(), ShapeError> {
        scalar::embed(tables, ids, first_position, lanes, out)
    }

    /// `out[row][lane] = bias[row] + Σ_feature x[feature][lane] · weights[row][feature]`: the two logits.
    fn linear_f32(
        &self,
        weights: &[f32],
        bias: &[f32],
        x: &[f32],
        out: &mut [f32],
    ) -> Result<(), ShapeError> {
        scalar::linear_f32(weights, bias, x, out)
    }
}
