//! The forward pass of BERT over one window, in steps that each run over tiles of tokens (and, where a tile is
//! too much for one task, over parts of its outputs).
//!
//! The numbers: weights int8 per output row; activations int8 with one scale per token, quantized before each
//! product (what comes out of GELU, which is hardly negative, on an affine grid); queries and keys per token and head,
//! probabilities per query, values per channel; everything between products in f32. No step's result depends on how the
//! work was split.
//!
//! A divisor or chunk length that comes from a shape is never 0 where there is a task; `max(1)` shows it to the
//! compiler, so that a binary without the code for panics can be built.

mod attention;
mod feed_forward;
mod whole_tiles;

use blockspan_kernels::layout::{TILE, TokenTiles};
use blockspan_kernels::matrix::{Matrix, PackedMatrix, Pattern};
use blockspan_kernels::parallel::{Cut, Parallel, for_each_cut};
use blockspan_kernels::{Epilogue, Kernels, ShapeError, math};

use crate::model::{LayerNorm, Model};
use crate::workspace::{Buffers, MAX_PARTS};

/// What stays the same during a pass.
pub(crate) struct Pass<'a> {
    pub model: &'a Model<'a>,
    pub kernels: &'a dyn Kernels,
    pub parallel: &'a dyn Parallel,
    pub tiles: TokenTiles,
    /// Word piece and segment of each token.
    pub ids: &'a [[u32; 2]],
}

impl Pass<'_> {
    /// From the ids to `buffers.start_logits` and `end_logits`.
    pub fn run(&self, buffers: &mut Buffers<'_>) -> Result<(), ShapeError> {
        let config = self.model.config();
        self.embed(buffers)?;
        let mut before = self.model.embeddings_layer_norm();
        for index in 0..config.layers {
            let layer = self.model.layer(index).ok_or(ShapeError)?;
            self.attention(layer, buffers)?;
            if self.parts() == 1 {
                self.finish_tiles(layer, before, buffers)?;
            } else {
                self.attention_output(layer, before, buffers)?;
                self.normalize(&layer.attention_layer_norm, buffers)?;
                self.feed_forward(layer, buffers)?;
                self.normalize(&layer.output_layer_norm, buffers)?;
            }
            before = &layer.output_layer_norm;
        }
        self.logits(buffers)
    }

    /// Lanes of a tile that a task works on.
    fn lanes(&self, tile: usize) -> usize {
        self.tiles.lanes(tile).max(1)
    }

    /// How many parts the outputs of a tile are split in, so that every thread has something to do.
    fn parts(&self) -> usize {
        match self.parallel.threads() {
            0 | 1 => 1,
            threads => (3 * threads).div_ceil(self.tiles.count().max(1)).clamp(1, MAX_PARTS),
        }
    }

    /// A buffer `[tile][feature][lane]`, one task per tile and part.
    fn cut<'b, T>(&self, buffer: &'b mut [T], features: usize, parts: usize, granule: usize) -> Cut<'b, T> {
        Cut::tiles(Buffers::of_tiles(buffer, self.tiles, features), self.tiles, features, parts, granule)
    }

    /// The values of a tile in a shared buffer `[tile][feature][lane]`.
    fn tile<'b, T>(&self, buffer: &'b [T], tile: usize, features: usize) -> Result<&'b [T], ShapeError> {
        buffer.get(self.tiles.offset(tile, features)..self.tiles.offset(tile + 1, features)).ok_or(ShapeError)
    }

    /// The tiles of a product's int8 inputs: rows or quads.
    fn input_tiles(&self) -> TokenTiles {
        match self.model.config().pattern {
            Pattern::OutputBlock => self.tiles.of_rows(),
            Pattern::InputBlock => self.tiles,
        }
    }

    /// [`Pass::cut`] for a product's int8 inputs.
    fn cut_inputs<'b>(&self, buffer: &'b mut [i8], features: usize, parts: usize) -> Cut<'b, i8> {
        let tiles = self.input_tiles();
        Cut::tiles(Buffers::of_tiles(buffer, tiles, features), tiles, features, parts, 4)
    }

    /// [`Pass::tile`] for a product's int8 inputs.
    fn inputs<'b>(&self, buffer: &'b [i8], tile: usize, features: usize) -> Result<&'b [i8], ShapeError> {
        let tiles = self.input_tiles();
        buffer.get(tiles.offset(tile, features)..tiles.offset(tile + 1, features)).ok_or(ShapeError)
    }

    fn embed(&self, buffers: &mut Buffers<'_>) -> Result<(), ShapeError> {
        let config = self.model.config();
        let ids = self.ids.get(..self.tiles.tokens()).ok_or(ShapeError)?;
        let hidden = self.cut(buffers.hidden, config.hidden, 1, 4);
        for_each_cut(self.parallel, self.tiles.count(), hidden, |tile, hidden| {
            let first = tile * TILE;
            let ids = ids.get(first..first + self.tiles.tokens_in(tile)).ok_or(ShapeError)?;
            self.kernels.embed(self.model.embeddings(), ids, first, self.tiles.lanes(tile), hidden)
        })?;
        self.normalize(self.model.embeddings_layer_norm(), buffers)
    }

    /// LayerNorm of the residual stream in place, and its int8 as the next product's input.
    fn normalize(&self, norm: &LayerNorm<'_>, buffers: &mut Buffers<'_>) -> Result<(), ShapeError> {
        let config = self.model.config();
        let parts = (
            self.cut(buffers.hidden, config.hidden, 1, 4),
            self.cut(buffers.absmax, 1, 1, 1),
            self.cut_inputs(buffers.input, config.hidden, 1),
            self.cut(buffers.scales, 1, 1, 1),
        );
        for_each_cut(self.parallel, self.tiles.count(), parts, |_, (hidden, absmax, input, scales)| {
            self.normalize_tile(norm, hidden, absmax, input, scales)
        })
    }

    /// [`Pass::normalize`] for one tile.
    fn normalize_tile(
        &self,
        norm: &LayerNorm<'_>,
        hidden: &mut [f32],
        absmax: &mut [f32],
        input: &mut [i8],
        scales: &mut [f32],
    ) -> Result<(), ShapeError> {
        let epsilon = self.model.config().layer_norm_eps;
        self.kernels.layer_norm(hidden, norm.gamma, norm.beta, epsilon, absmax)?;
        self.quantize(hidden, absmax, input, scales)
    }

    /// int8 in the layout that the model's block pattern reads.
    fn quantize(
        &self,
        x: &[f32],
        absmax: &[f32],
        out: &mut [i8],
        scales: &mut [f32],
    ) -> Result<(), ShapeError> {
        match self.model.config().pattern {
            Pattern::OutputBlock => self.kernels.quantize_rows(x, absmax, out, scales),
            Pattern::InputBlock => self.kernels.quantize_quads(x, absmax, out, scales),
        }
    }

    /// GELU of values of which `most` is the largest of each lane, and [`Pass::quantize`].
    fn quantize_gelu(
        &self,
        x: &[f32],
        most: &[f32],
        out: &mut [i8],
        scales: &mut [f32],
    ) -> Result<(), ShapeError> {
        match self.model.config().pattern {
            Pattern::OutputBlock => self.kernels.quantize_gelu_rows(x, most, out, scales),
            Pattern::InputBlock => self.kernels.quantize_gelu_quads(x, most, out, scales),
        }
    }

    /// Rows `rows` (multiples of 4) of a product with one tile.
    fn product(
        &self,
        matrix: &PackedMatrix<'_>,
        rows: core::ops::Range<usize>,
        input: &[i8],
        scales: &[f32],
        epilogue: Epilogue<'_>,
        out: &mut [f32],
    ) -> Result<(), ShapeError> {
        let strips = rows.start / 4..rows.end / 4;
        match matrix.view().ok_or(ShapeError)? {
            Matrix::OutputBlock(matrix) => {
                self.kernels.output_block(&matrix, strips, input, scales, epilogue, out)
            }
            Matrix::InputBlock(matrix) => {
                self.kernels.input_block(&matrix, strips, input, scales, epilogue, out)
            }
        }
    }

    fn logits(&self, buffers: &mut Buffers<'_>) -> Result<(), ShapeError> {
        let hidden = self.model.config().hidden;
        let (weights, bias) = self.model.qa_outputs();
        let stream: &[f32] = buffers.hidden;
        for_each_cut(self.parallel, self.tiles.count(), self.cut(buffers.logits, 2, 1, 1), |tile, out| {
            self.kernels.linear_f32(weights, bias, self.tile(stream, tile, hidden)?, out)
        })?;
        for tile in 0..self.tiles.count() {
            let (first, lanes) = (tile * TILE, self.tiles.lanes(tile));
            let (starts, ends) =
                self.tile(buffers.logits, tile, 2)?.split_at_checked(lanes).ok_or(ShapeError)?;
            let real = first..first + self.tiles.tokens_in(tile);
            for (all, tile) in [(&mut *buffers.start_logits, starts), (&mut *buffers.end_logits, ends)] {
                let out = all.get_mut(real.clone()).ok_or(ShapeError)?;
                out.iter_mut().zip(tile).for_each(|(out, &logit)| *out = logit);
            }
        }
        Ok(())
    }
}

/// The zero points of a tile's lanes, into which GELU's results were quantized with these scales.
fn gelu_zero_points<'a>(scales: &[f32], zero_points: &'a mut [i32; TILE]) -> &'a [i32] {
    zero_points
        .iter_mut()
        .zip(scales)
        .for_each(|(zero_point, &scale)| *zero_point = math::gelu_zero_point(scale));
    zero_points.get(..scales.len()).unwrap_or(&[])
}

/// The tile and the part of a task, with as many tasks per tile as there are parts.
fn tile_and_part(task: usize, parts: usize) -> (usize, usize) {
    let parts = parts.max(1);
    (task / parts, task % parts)
}
