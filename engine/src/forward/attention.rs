//! The attention half of a layer.

use core::sync::atomic::AtomicU32;

use blockspan_kernels::layout::{TILE, score_lanes};
use blockspan_kernels::parallel::{Cut, Pool, for_each_cut};
use blockspan_kernels::{DenseRows, Epilogue, ShapeError, math, scalar};

use super::{Pass, tile_and_part};
use crate::model::{Layer, LayerNorm};
use crate::workspace::Buffers;

impl Pass<'_> {
    /// `input = softmax(query · keyᵀ / √head_dim) · value`, quantized.
    pub(super) fn attention(&self, layer: &Layer<'_>, buffers: &mut Buffers<'_>) -> Result<(), ShapeError> {
        self.project(layer, buffers)?;
        self.quantize_values(buffers)?;
        self.attend(buffers)?;
        self.quantize_context(buffers)
    }

    /// `hidden += attention_output(input)`, outputs in parts. `before` made the layer's input, which `hidden` holds.
    pub(super) fn attention_output(
        &self,
        layer: &Layer<'_>,
        before: &LayerNorm<'_>,
        buffers: &mut Buffers<'_>,
    ) -> Result<(), ShapeError> {
        let (hidden, parts) = (self.model.config().hidden, self.parts());
        let (input, scales): (&[i8], &[f32]) = (buffers.input, buffers.scales);
        let outputs = self.cut(buffers.hidden, hidden, parts, 4);
        for_each_cut(self.parallel, self.tiles.count() * parts, outputs, |task, out| {
            let (tile, part) = tile_and_part(task, parts);
            let rows = Cut::<f32>::features(hidden, parts, 4, part);
            let (input, scales) = (self.inputs(input, tile, hidden)?, self.tile(scales, tile, 1)?);
            let smoothing = before.smoothing.get(rows.clone()).ok_or(ShapeError)?;
            let epilogue = Epilogue::Add { smoothing };
            self.product(&layer.attention_output, rows, input, scales, epilogue, out)
        })
    }

    /// Query and key to int8 per token and head; value to f32 in the third part of `wide`.
    fn project(&self, layer: &Layer<'_>, buffers: &mut Buffers<'_>) -> Result<(), ShapeError> {
        let config = self.model.config();
        let (hidden, heads, head_dim) = (config.hidden, config.heads, config.head_dim());
        let parts = self.parts().min(heads);
        let length = self.tiles.padded() * hidden;
        let (query, rest) = buffers.wide.split_at_mut_checked(length).ok_or(ShapeError)?;
        let (key, value) = rest.split_at_mut_checked(length).ok_or(ShapeError)?;
        let (input, scales): (&[i8], &[f32]) = (buffers.input, buffers.scales);
        let floats = (
            self.cut(query, hidden, parts, head_dim),
            self.cut(key, hidden, parts, head_dim),
            self.cut(value, hidden, parts, head_dim),
        );
        let queries = (
            self.cut(buffers.query, hidden, parts, head_dim),
            self.cut(buffers.query_scales, heads, parts, 1),
        );
        let keys = (
            self.cut(buffers.key, hidden, parts, head_dim),
            self.cut(buffers.key_scales, heads, parts, 1),
            self.cut(buffers.key_sums, heads, parts, 1),
        );
        for_each_cut(
            self.parallel,
            self.tiles.count() * parts,
            (floats, queries, keys),
            |task, ((q, k, v), (query, query_scales), (key, key_scales, key_sums))| {
                let (tile, part) = tile_and_part(task, parts);
                let rows = Cut::<f32>::features(hidden, parts, head_dim, part);
                let (input, scales) = (self.inputs(input, tile, hidden)?, self.tile(scales, tile, 1)?);
                self.product(&layer.query, rows.clone(), input, scales, Epilogue::Store, q)?;
                self.product(&layer.key, rows.clone(), input, scales, Epilogue::Store, k)?;
                self.product(&layer.value, rows, input, scales, Epilogue::Store, v)?;
                let lanes = self.lanes(tile);
                let mut most = [0f32; TILE];
                let most = most.get_mut(..lanes).ok_or(ShapeError)?;
                let per_head = (head_dim * lanes).max(1);
                // `next` rather than `zip`, which divides by the chunks' lengths where the compiler no longer sees
                // that they are not 0.
                let mut out = (query.chunks_exact_mut(per_head), query_scales.chunks_exact_mut(lanes));
                for x in q.chunks_exact(per_head) {
                    let (out, scales) = out.0.next().zip(out.1.next()).ok_or(ShapeError)?;
                    self.kernels.absmax(x, most)?;
                    self.kernels.quantize_quads(x, most, out, scales)?;
                }
                let mut out = (key.chunks_exact_mut(per_head), key_scales.chunks_exact_mut(lanes));
                let mut sums = key_sums.chunks_exact_mut(lanes);
                for x in k.chunks_exact(per_head) {
                    let (out, scales) = out.0.next().zip(out.1.next()).ok_or(ShapeError)?;
                    let sums = sums.next().ok_or(ShapeError)?;
                    self.kernels.absmax(x, most)?;
                    self.kernels.quantize_tokens(x, most, out, scales, sums)?;
                }
                Ok(())
            },
        )
    }

    /// Values to int8, one row of keys per channel.
    fn quantize_values(&self, buffers: &mut Buffers<'_>) -> Result<(), ShapeError> {
        let config = self.model.config();
        let (hidden, head_dim, padded) = (config.hidden, config.head_dim(), self.tiles.padded());
        let values = buffers.wide.get(2 * padded * hidden..).ok_or(ShapeError)?;
        let out = buffers.value.get_mut(..padded * hidden).ok_or(ShapeError)?;
        let outputs = (
            Cut::even(out, padded * head_dim),
            Cut::even(buffers.value_scales, head_dim),
            Cut::even(buffers.value_sums, head_dim),
        );
        for_each_cut(self.parallel, config.heads, outputs, |head, (out, scales, sums)| {
            let of_tile = |tile: usize| {
                let (lanes, channels) = (self.tiles.lanes(tile), head * head_dim..(head + 1) * head_dim);
                let start = self.tiles.offset(tile, hidden);
                values.get(start + channels.start * lanes..start + channels.end * lanes).ok_or(ShapeError)
            };
            // The largest magnitudes first, in the place of the scales.
            scales.fill(0.0);
            for tile in 0..self.tiles.count() {
                self.kernels.channel_absmax(of_tile(tile)?, self.tiles.tokens_in(tile), scales)?;
            }
            sums.fill(0);
            for tile in 0..self.tiles.count() {
                let tokens = self.tiles.tokens_in(tile);
                let out = out.get_mut(tile * TILE..).ok_or(ShapeError)?;
                self.kernels.quantize_channels(of_tile(tile)?, tokens, scales, out, padded, sums)?;
            }
            scales.iter_mut().for_each(|most| *most = scalar::scale(*most));
            Ok(())
        })
    }

    /// The context, `[tile][hidden][lane]`, at the start of `wide`.
    fn attend(&self, buffers: &mut Buffers<'_>) -> Result<(), ShapeError> {
        let config = self.model.config();
        let (hidden, heads, head_dim) = (config.hidden, config.heads, config.head_dim());
        let (tokens, padded) = (self.tiles.tokens(), self.tiles.padded());
        let keys = tokens.next_multiple_of(4);
        // Scores in steps of a fraction of an octave, so that softmax needs powers of two only.
        let to_steps = math::SCORE_STEPS * math::LOG2_E / math::sqrt(head_dim as f32);
        let (query, query_scales): (&[i8], &[f32]) = (buffers.query, buffers.query_scales);
        let (key, key_scales, key_sums): (&[i8], &[f32], &[i32]) =
            (buffers.key, buffers.key_scales, buffers.key_sums);
        let (value, value_scales, value_sums): (&[i8], &[f32], &[i32]) =
            (buffers.value, buffers.value_scales, buffers.value_sums);
        let slots = &mut buffers.slots;
        let (mut scores_busy, mut probabilities_busy) = (AtomicU32::new(0), AtomicU32::new(0));
        let parts = (
            self.cut(buffers.wide, hidden, heads, head_dim),
            Pool::new(slots.scores, slots.scores_each, &mut scores_busy),
            Pool::new(slots.probabilities, slots.probabilities_each, &mut probabilities_busy),
        );
        let tasks = self.tiles.count() * heads;
        for_each_cut(self.parallel, tasks, parts, |task, (out, mut scores, mut probabilities)| {
            let (tile, head) = tile_and_part(task, heads);
            let lanes = self.lanes(tile);
            let of_head = |tile: usize, features: usize| {
                let (lanes, start) = (self.tiles.lanes(tile), self.tiles.offset(tile, heads * features));
                start + head * features * lanes..start + (head + 1) * features * lanes
            };
            let query = query.get(of_head(tile, head_dim)).ok_or(ShapeError)?;
            let mut scaled = [0f32; TILE];
            let query_scales = query_scales.get(of_head(tile, 1)).ok_or(ShapeError)?;
            scaled.iter_mut().zip(query_scales).for_each(|(out, &scale)| *out = scale * to_steps);
            let scaled = scaled.get_mut(..lanes).ok_or(ShapeError)?;
            let wide = score_lanes(lanes);
            let scores = scores.get_mut(..tokens * wide).ok_or(ShapeError)?;
            let mut most = [i16::MIN; TILE];
            let most = most.get_mut(..wide).ok_or(ShapeError)?;
            for (key_tile, scores) in scores.chunks_mut(TILE * wide).enumerate() {
                let count = self.tiles.tokens_in(key_tile);
                let rows = DenseRows {
                    values: key.get(of_head(key_tile, head_dim)).ok_or(ShapeError)?,
                    stride: head_dim,
                    cols: head_dim,
                    sums: key_sums
                        .get(of_head(key_tile, 1))
                        .and_then(|s| s.get(..count))
                        .ok_or(ShapeError)?,
                    scales: key_scales
                        .get(of_head(key_tile, 1))
                        .and_then(|s| s.get(..count))
                        .ok_or(ShapeError)?,
                };
                self.kernels.scores(&rows, query, scaled, most, scores)?;
            }
            let probabilities = probabilities.get_mut(..keys * lanes).ok_or(ShapeError)?;
            self.kernels.softmax(scores, most, probabilities, scaled)?;
            let channels = head * head_dim..(head + 1) * head_dim;
            let rows = DenseRows {
                values: value.get(channels.start * padded..channels.end * padded).ok_or(ShapeError)?,
                stride: padded,
                cols: keys,
                sums: value_sums.get(channels.clone()).ok_or(ShapeError)?,
                scales: value_scales.get(channels).ok_or(ShapeError)?,
            };
            self.kernels.context(&rows, probabilities, scaled, out)
        })
    }

    /// The context as the output product's int8 input.
    fn quantize_context(&self, buffers: &mut Buffers<'_>) -> Result<(), ShapeError> {
        let hidden = self.model.config().hidden;
        let context: &[f32] = buffers.wide;
        let outputs = (self.cut_inputs(buffers.input, hidden, 1), self.cut(buffers.scales, 1, 1, 1));
        for_each_cut(self.parallel, self.tiles.count(), outputs, |tile, (input, scales)| {
            let context = self.tile(context, tile, hidden)?;
            let mut most = [0f32; TILE];
            let most = most.get_mut(..self.tiles.lanes(tile)).ok_or(ShapeError)?;
            self.kernels.absmax(context, most)?;
            self.quantize(context, most, input, scales)
        })
    }
}
