//! The feed-forward half of a layer, outputs in parts.

use blockspan_kernels::layout::TILE;
use blockspan_kernels::parallel::{Cut, for_each_cut};
use blockspan_kernels::{Epilogue, ShapeError, math};

use super::{Pass, gelu_zero_points, tile_and_part};
use crate::model::Layer;
use crate::workspace::Buffers;

impl Pass<'_> {
    /// `hidden += output(gelu(intermediate(input)))`.
    pub(super) fn feed_forward(
        &self,
        layer: &Layer<'_>,
        buffers: &mut Buffers<'_>,
    ) -> Result<(), ShapeError> {
        let config = self.model.config();
        let (hidden, intermediate, parts) = (config.hidden, config.intermediate, self.parts());
        let tasks = self.tiles.count() * parts;

        let (input, scales): (&[i8], &[f32]) = (buffers.input, buffers.scales);
        let outputs =
            (self.cut(buffers.wide, intermediate, parts, 4), self.cut(buffers.absmax, parts, parts, 1));
        for_each_cut(self.parallel, tasks, outputs, |task, (out, most)| {
            let (tile, part) = tile_and_part(task, parts);
            let rows = Cut::<f32>::features(intermediate, parts, 4, part);
            most.fill(0.0);
            let (input, scales) = (self.inputs(input, tile, hidden)?, self.tile(scales, tile, 1)?);
            self.product(&layer.intermediate, rows, input, scales, Epilogue::Max { max: most }, out)
        })?;

        let (wide, absmax): (&[f32], &[f32]) = (buffers.wide, buffers.absmax);
        let outputs =
            (self.cut_inputs(buffers.inner, intermediate, parts), self.cut(buffers.scales, parts, parts, 1));
        for_each_cut(self.parallel, tasks, outputs, |task, (out, scales)| {
            let (tile, part) = tile_and_part(task, parts);
            let lanes = self.lanes(tile);
            let rows = Cut::<f32>::features(intermediate, parts, 4, part);
            let tile_values = self.tile(wide, tile, intermediate)?;
            let x = tile_values.get(rows.start * lanes..rows.end * lanes).ok_or(ShapeError)?;
            let mut most = [0f32; TILE];
            for of_part in self.tile(absmax, tile, parts)?.chunks_exact(lanes) {
                most.iter_mut().zip(of_part).for_each(|(most, &x)| *most = math::max(x, *most));
            }
            self.quantize_gelu(x, most.get(..lanes).ok_or(ShapeError)?, out, scales)
        })?;

        let (inner, scales): (&[i8], &[f32]) = (buffers.inner, buffers.scales);
        let outputs = self.cut(buffers.hidden, hidden, parts, 4);
        for_each_cut(self.parallel, tasks, outputs, |task, out| {
            let (tile, part) = tile_and_part(task, parts);
            let rows = Cut::<f32>::features(hidden, parts, 4, part);
            // The scales are the same in every part; the first will do.
            let scales = self.tile(scales, tile, parts)?.get(..self.tiles.lanes(tile)).ok_or(ShapeError)?;
            let smoothing = layer.attention_layer_norm.smoothing.get(rows.clone()).ok_or(ShapeError)?;
            let mut zero_points = [0; TILE];
            let epilogue =
                Epilogue::AddAffine { smoothing, zero_points: gelu_zero_points(scales, &mut zero_points) };
            self.product(&layer.output, rows, self.inputs(inner, tile, intermediate)?, scales, epilogue, out)
        })
    }
}
