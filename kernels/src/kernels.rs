//! The operations that every instruction set provides.

use core::ops::Range;

use crate::Isa;
use crate::implementation::Implementation;
use crate::matrix::{InputBlock, OutputBlock};
use crate::operands::*;

/// One instruction set's kernels.
///
/// `lanes` is 16, 32, 48 or 64 everywhere and given by the length of a per-lane slice; activation layouts are those
/// of [`crate::layout`], one tile at a time. Values in padding lanes are computed like all others and mean
/// nothing. Every method returns [`ShapeError`] rather than read or write outside a slice.
///
/// Only this crate implements it: each method checks its operands, whatever the instruction set, and then runs the
/// instruction set's own code.
pub trait Kernels: Implementation {
    /// The instruction set.
    fn isa(&self) -> Isa {
        self.instruction_set()
    }

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
        self.run_output_block(OutputBlockOperands::check(matrix, strips, x, x_scales, epilogue, out)?);
        Ok(())
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
        self.run_input_block(InputBlockOperands::check(matrix, strips, x, x_scales, epilogue, out)?);
        Ok(())
    }

    /// Rows as [`Kernels::output_block`] reads them and [`Kernels::quantize_rows`] writes them, from rows of int8 in
    /// the order of the lanes, in place; a second call turns them back. An instruction set may have an order and an
    /// offset of its own, which saves work in the product.
    ///
    /// `rows`: `[features][row_lanes(lanes)]`.
    fn arrange_rows(&self, lanes: usize, rows: &mut [i8]) -> Result<(), ShapeError> {
        self.run_arrange_rows(ArrangeRowsOperands::check(lanes, rows)?);
        Ok(())
    }

    /// Attention scores: `score = round((Σ x · rows) · x_scales[lane] · rows.scales[row])` with
    /// [`crate::math::to_score`], and the largest ones: `max[lane] = max(score, max[lane])`.
    ///
    /// `x`: quads of int8, `[cols / 4][lanes][4]`, whose scales contain the logarithm's base (a score is in units of
    /// 1/32 of an octave); `out`: `[rows][score_lanes(lanes)]`, `max`: `[score_lanes(lanes)]`, both in an order of the
    /// instruction set's own, that of [`Kernels::softmax`]. The caller starts `max` at `i16::MIN`.
    fn scores(
        &self,
        rows: &DenseRows<'_>,
        x: &[i8],
        x_scales: &[f32],
        max: &mut [i16],
        out: &mut [i16],
    ) -> Result<(), ShapeError> {
        self.run_scores(ScoresOperands::check(rows, x, x_scales, max, out)?);
        Ok(())
    }

    /// Softmax over keys, quantized: `out` is [`crate::math::exp2_score`] of `max − score` and the key's dither, about
    /// 255 · 2^((score − max) / 32), and
    /// `scales[lane] = 1 / Σ out`.
    ///
    /// `scores`, `max`: as [`Kernels::scores`] leaves them; no score is above `max`. `out`: quads,
    /// `[⌈keys / 4⌉][lanes][4]`, the missing keys of the last quad 0.
    fn softmax(
        &self,
        scores: &[i16],
        max: &[i16],
        out: &mut [u8],
        scales: &mut [f32],
    ) -> Result<(), ShapeError> {
        self.run_softmax(SoftmaxOperands::check(scores, max, out, scales)?);
        Ok(())
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
        self.run_context(ContextOperands::check(rows, x, x_scales, out)?);
        Ok(())
    }

    /// `absmax[lane] = max over features of |x|`. `x`: `[features][lanes]`.
    fn absmax(&self, x: &[f32], absmax: &mut [f32]) -> Result<(), ShapeError> {
        self.run_absmax(AbsmaxOperands::check(x, absmax)?);
        Ok(())
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
        self.run_quantize_rows(QuantizeRowsOperands::check(x, absmax, out, scales)?);
        Ok(())
    }

    /// [`Kernels::quantize_rows`] into quads, `[features / 4][lanes][4]`.
    fn quantize_quads(
        &self,
        x: &[f32],
        absmax: &[f32],
        out: &mut [i8],
        scales: &mut [f32],
    ) -> Result<(), ShapeError> {
        self.run_quantize_quads(QuantizeQuadsOperands::check(x, absmax, out, scales)?);
        Ok(())
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
        self.run_quantize_tokens(QuantizeTokensOperands::check(x, absmax, out, scales, sums)?);
        Ok(())
    }

    /// GELU and int8 on an affine grid, rows layout: `out = round(gelu(x) · 127 / half − zero_point)`,
    /// `scales = half / 127`, with `half` of [`crate::math::gelu_half_range`] for the largest value, `max`, and
    /// [`crate::math::gelu_zero_point`] of the scale. For [`Epilogue::AddAffine`].
    fn quantize_gelu_rows(
        &self,
        x: &[f32],
        max: &[f32],
        out: &mut [i8],
        scales: &mut [f32],
    ) -> Result<(), ShapeError> {
        self.run_quantize_gelu_rows(QuantizeRowsOperands::check(x, max, out, scales)?);
        Ok(())
    }

    /// [`Kernels::quantize_gelu_rows`] into quads, `[features / 4][lanes][4]`.
    fn quantize_gelu_quads(
        &self,
        x: &[f32],
        max: &[f32],
        out: &mut [i8],
        scales: &mut [f32],
    ) -> Result<(), ShapeError> {
        self.run_quantize_gelu_quads(QuantizeQuadsOperands::check(x, max, out, scales)?);
        Ok(())
    }

    /// `absmax[channel] = max(|x|, absmax[channel])` over the first `tokens` lanes of a tile.
    ///
    /// `x`: `[channels][lanes]`; the caller starts `absmax` at 0.
    fn channel_absmax(&self, x: &[f32], tokens: usize, absmax: &mut [f32]) -> Result<(), ShapeError> {
        self.run_channel_absmax(ChannelAbsmaxOperands::check(x, tokens, absmax)?);
        Ok(())
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
        self.run_quantize_channels(QuantizeChannelsOperands::check(x, tokens, absmax, out, stride, sums)?);
        Ok(())
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
        self.run_layer_norm(LayerNormOperands::check(x, gamma, beta, epsilon, absmax)?);
        Ok(())
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
        self.run_embed(EmbedOperands::check(tables, ids, first_position, lanes, out)?);
        Ok(())
    }

    /// `out[row][lane] = bias[row] + Σ_feature x[feature][lane] · weights[row][feature]`: the two logits.
    fn linear_f32(
        &self,
        weights: &[f32],
        bias: &[f32],
        x: &[f32],
        out: &mut [f32],
    ) -> Result<(), ShapeError> {
        self.run_linear_f32(LinearOperands::check(weights, bias, x, out)?);
        Ok(())
    }
}

impl<T: Implementation> Kernels for T {}
