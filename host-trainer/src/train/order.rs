//! The order of the training windows: shuffled by seed, of similar length within a batch.

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use crate::features::Feature;

/// Batches whose windows are sorted together; the order of lengths within one such pool is lost, so that
/// long and short batches alternate.
const BATCHES_PER_POOL: usize = 64;

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
