//! Batches of windows of similar length, in a seeded order.

use anyhow::Result;
use candle_core::{Device, Tensor};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use crate::features::Feature;
use crate::model::Input;

/// Batches whose windows are sorted together; the order of lengths within one such pool is lost, so that
/// long and short batches alternate.
const BATCHES_PER_POOL: usize = 64;

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

/// Indices of the windows of each batch of an epoch: shuffled by seed and epoch, of similar length within
/// a batch. Every window appears once.
pub fn shuffled(features: &[Feature], batch_size: usize, seed: u64, epoch: usize) -> Vec<Vec<usize>> {
    let mut rng = StdRng::seed_from_u64(seed.wrapping_add(epoch as u64));
    let mut order: Vec<usize> = (0..features.len()).collect();
    order.shuffle(&mut rng);
    let mut batches = Vec::new();
    for pool in order.chunks_mut(batch_size.saturating_mul(BATCHES_PER_POOL)) {
        pool.sort_by_key(|&index| features[index].input_ids.len());
        batches.extend(pool.chunks(batch_size).map(<[usize]>::to_vec));
    }
    batches.shuffle(&mut rng);
    batches
}

/// Indices of the windows of each batch for evaluation: by length, so that little is padded.
pub fn by_length(features: &[Feature], batch_size: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..features.len()).collect();
    order.sort_by_key(|&index| features[index].input_ids.len());
    order.chunks(batch_size).map(<[usize]>::to_vec).collect()
}

/// Batches of `count` windows, taken evenly from all, for measuring what a network makes of them.
///
/// # Errors
/// A failure of the device.
pub fn calibration(
    features: &[Feature],
    count: usize,
    batch_size: usize,
    pad: u32,
    device: &Device,
) -> Result<Vec<Input>> {
    let count = count.min(features.len());
    let chosen: Vec<Feature> = (0..count).map(|i| features[i * features.len() / count].clone()).collect();
    let batches = by_length(&chosen, batch_size);
    batches.iter().map(|indices| Ok(Batch::new(&chosen, indices, pad, device)?.input)).collect()
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
