//! Windows as the tensors that a network reads.

use anyhow::Result;
use candle_core::{Device, Tensor};

use super::windows::Feature;
use crate::model::Input;

/// Windows, padded to the longest of them.
pub struct Batch {
    /// What the network reads.
    pub input: Input,
    /// The label of the start position, u32, `[batch]`.
    pub starts: Tensor,
    /// The label of the end position, u32, `[batch]`.
    pub ends: Tensor,
    /// Tokens without padding.
    pub tokens: usize,
}

/// Indices of the windows of each batch for evaluation: by length, so that little is padded.
pub fn by_length(features: &[Feature], batch_size: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..features.len()).collect();
    order.sort_by_key(|&index| features[index].input_ids.len());
    order.chunks(batch_size).map(<[usize]>::to_vec).collect()
}

impl Batch {
    /// Gathers windows, padded with the id `pad`.
    ///
    /// # Errors
    /// A failure of the device.
    pub fn new(features: &[Feature], indices: &[usize], pad: u32, device: &Device) -> Result<Self> {
        let width = indices.iter().map(|&i| features[i].input_ids.len()).max().unwrap_or(0);
        let size = indices.len() * width;
        let (mut ids, mut types, mut mask) =
            (Vec::with_capacity(size), Vec::with_capacity(size), Vec::with_capacity(size));
        let (mut starts, mut ends) = (Vec::new(), Vec::new());
        for feature in indices.iter().map(|&i| &features[i]) {
            let tokens = feature.input_ids.len();
            ids.extend_from_slice(&feature.input_ids);
            ids.extend(core::iter::repeat_n(pad, width - tokens));
            types.extend((0..tokens).map(|position| feature.token_type(position)));
            types.extend(core::iter::repeat_n(0, width - tokens));
            mask.extend((0..width).map(|position| if position < tokens { 1.0f32 } else { 0.0 }));
            starts.push(feature.answer.0 as u32);
            ends.push(feature.answer.1 as u32);
        }
        Ok(Batch {
            tokens: indices.iter().map(|&i| features[i].input_ids.len()).sum(),
            input: Input::new(ids, types, mask, indices.len(), device)?,
            starts: Tensor::from_vec(starts, indices.len(), device)?,
            ends: Tensor::from_vec(ends, indices.len(), device)?,
        })
    }
}
