//! The part of a layer behind the attention, one task per tile.
//!
//! Where there are tiles enough for all threads, a tile goes through output product, feed-forward and both
//! LayerNorms in one task: its values stay in that core's cache, the widest ones in scratch that the thread's next
//! tile uses again, and the threads meet once instead of six times. Same operations in the same order as in parts.

use core::sync::atomic::AtomicU32;

use blockspan_kernels::layout::TILE;
use blockspan_kernels::parallel::{Pool, for_each_cut};
use blockspan_kernels::{Epilogue, ShapeError};

use super::{Pass, gelu_zero_points};
use crate::model::{Layer, LayerNorm};
use crate::workspace::Buffers;

impl Pass<'_> {
    /// From the quantized context to the next layer's quantized input. `before` made the layer's input.
    pub(super) fn finish_tiles(
        &self,
        layer: &Layer<'_>,
        before: &LayerNorm<'_>,
        buffers: &mut Buffers<'_>,
    ) -> Result<(), ShapeError> {
        let config = self.model.config();
        let (hidden, intermediate) = (config.hidden, config.intermediate);
        let (mut wide_busy, mut inner_busy) = (AtomicU32::new(0), AtomicU32::new(0));
        let tile = (
            self.cut(buffers.hidden, hidden, 1, 4),
            self.cut_inputs(buffers.input, hidden, 1),
            self.cut(buffers.scales, 1, 1, 1),
            self.cut(buffers.absmax, 1, 1, 1),
        );
        let scratch = (
            Pool::new(buffers.wide, intermediate * TILE, &mut wide_busy),
            Pool::new(buffers.inner, intermediate * TILE, &mut inner_busy),
        );
        for_each_cut(
            self.parallel,
            self.tiles.count(),
            (tile, scratch),
            |tile, ((stream, input, scales, absmax), (mut wide, mut inner))| {
                let inputs = intermediate * self.input_tiles().lanes(tile);
                let wide = wide.get_mut(..intermediate * self.lanes(tile)).ok_or(ShapeError)?;
                let inner = inner.get_mut(..inputs).ok_or(ShapeError)?;
                let epilogue = Epilogue::Add { smoothing: before.smoothing };
                self.product(&layer.attention_output, 0..hidden, input, scales, epilogue, stream)?;
                self.normalize_tile(&layer.attention_layer_norm, stream, absmax, input, scales)?;
                absmax.fill(0.0);
                let epilogue = Epilogue::Max { max: absmax };
                self.product(&layer.intermediate, 0..intermediate, input, scales, epilogue, wide)?;
                self.quantize_gelu(wide, absmax, inner, scales)?;
                let mut zero_points = [0; TILE];
                let smoothing = layer.attention_layer_norm.smoothing;
                let epilogue = Epilogue::AddAffine {
                    smoothing,
                    zero_points: gelu_zero_points(scales, &mut zero_points),
                };
                self.product(&layer.output, 0..hidden, inner, scales, epilogue, stream)?;
                self.normalize_tile(&layer.output_layer_norm, stream, absmax, input, scales)
            },
        )
    }
}
