//! Dropout whose choices are a function of a key and a position: nothing is stored between the forward and the
//! backward pass, and a run is repeated to the bit whatever the threads do.

use candle_core::{CpuStorage, CustomOp1, Device, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::rows::vectorized;
use super::storage::{tensor_values, values};

/// Values that one task handles.
const CHUNK: usize = 1 << 14;
/// The places of an attention matrix count as if each of its rows had so many values, so that padding shifts none.
const ROW: u32 = 1 << 16;

/// Which values are dropped. What stays is scaled by `1 / (1 − rate)`, so that sums keep their expectation.
#[derive(Clone, Copy, Debug)]
pub struct Dropout {
    key: u64,
    rate: f64,
    first: usize,
}

impl Dropout {
    /// Drops each value with the probability `rate`, 0 to 1; nothing for a rate of 0. Another key, other choices.
    pub fn new(rate: f64, key: u64) -> Option<Self> {
        (rate > 0.0).then_some(Dropout { key, rate, first: 0 })
    }

    /// The same choices for tensors whose first sequence is number `first` of those that share the key: what is dropped of a
    /// sequence does not depend on the batch that it is in.
    #[must_use]
    pub fn from_sequence(self, first: usize) -> Self {
        Dropout { first, ..self }
    }

    /// The choices for a sequence of a tensor.
    fn sequence(self, sequence: usize) -> Factors {
        self.part(self.first + sequence)
    }

    /// The choices for the probabilities of one of `heads` heads in a sequence.
    pub(super) fn head(self, sequence: usize, heads: usize, head: usize) -> Factors {
        self.part((self.first + sequence) * heads + head)
    }

    fn part(self, part: usize) -> Factors {
        let key = mix(self.key.wrapping_add(mix(part as u64)));
        Factors {
            first: key as u32,
            second: (key >> 32) as u32,
            dropped: (self.rate.min(1.0) * f64::from(u32::MAX)) as u32,
            scale: (1.0 / (1.0 - self.rate).max(f64::MIN_POSITIVE)) as f32,
        }
    }

    /// The factors of all values of a tensor `like`, `[sequences, …]`, or, given the number of heads, of the attention's
    /// probabilities, `[sequences, heads, tokens, tokens]`.
    ///
    /// An accelerator draws its own, by the seed that was set last.
    pub(super) fn factors(self, heads: Option<usize>, like: &Tensor) -> Result<Tensor> {
        let (shape, device) = (like.shape(), like.device());
        let factors = if device.is_cpu() {
            let mut all = vec![1.0; shape.elem_count()];
            let len = all.len() / shape.dims().first().copied().unwrap_or(1).max(1);
            all.par_chunks_mut(len.max(1)).enumerate().for_each(|(sequence, all)| match heads {
                None => self.sequence(sequence).apply(all, 0),
                Some(heads) => {
                    let tokens = shape.dims().last().copied().unwrap_or(1).max(1);
                    for (head, all) in all.chunks_mut((len / heads.max(1)).max(1)).enumerate() {
                        self.head(sequence, heads, head).apply_rows(all, tokens);
                    }
                }
            });
            Tensor::from_vec(all, shape, &Device::Cpu)?
        } else {
            let scale = 1.0 / (1.0 - self.rate);
            let kept = Tensor::rand(0f32, 1f32, shape, device)?.ge(self.rate)?;
            (kept.to_dtype(candle_core::DType::F32)? * scale)?
        };
        factors.to_dtype(like.dtype())
    }
}

/// A key that follows from another one and a number.
pub fn derive_key(key: u64, number: u64) -> u64 {
    mix(key ^ mix(number))
}

/// The finalizer of splitmix64 (Steele, Lea and Flood).
fn mix(value: u64) -> u64 {
    let mut x = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The choices for one part of a tensor.
#[derive(Clone, Copy)]
pub(super) struct Factors {
    first: u32,
    second: u32,
    /// Hashes below this number are dropped.
    dropped: u32,
    scale: f32,
}

impl Factors {
    /// 0, or `1 / (1 − rate)`, for the value number `index`.
    ///
    /// The hash is Wellons' `lowbias32` with the second half of the key in its middle.
    #[inline(always)]
    pub(super) fn at(self, index: u32) -> f32 {
        let mut x = index.wrapping_add(self.first);
        x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
        x = (x ^ (x >> 15) ^ self.second).wrapping_mul(0x846c_a68b);
        x ^= x >> 16;
        if x < self.dropped { 0.0 } else { self.scale }
    }
}

impl Factors {
    /// Multiplies values with their factors, the first of which is number `start`.
    #[inline(always)]
    fn apply(self, values: &mut [f32], start: u32) {
        values.iter_mut().zip(start..).for_each(|(value, index)| *value *= self.at(index));
    }

    /// The same for the rows of an attention matrix.
    #[inline(always)]
    pub(super) fn apply_rows(self, values: &mut [f32], tokens: usize) {
        for (row, values) in (0u32..).zip(values.chunks_exact_mut(tokens)) {
            self.apply(values, row.wrapping_mul(ROW));
        }
    }
}

/// See [`super::dropout`].
pub(super) struct Fused(pub(super) Dropout);

impl Fused {
    /// Of so many sequences.
    fn apply(&self, x: &[f32], sequences: usize) -> Vec<f32> {
        let mut y = x.to_vec();
        let len = (y.len() / sequences.max(1)).max(1);
        y.par_chunks_mut(len).enumerate().for_each(|(sequence, y)| {
            let factors = self.0.sequence(sequence);
            y.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, y)| {
                vectorized(
                    #[inline(always)]
                    || factors.apply(y, (chunk * CHUNK) as u32),
                );
            });
        });
        y
    }
}

impl CustomOp1 for Fused {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let sequences = layout.dims().first().copied().unwrap_or(1);
        Ok((CpuStorage::F32(self.apply(values(x, layout)?, sequences)), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let grad = grad.contiguous()?;
        let (storage, layout) = grad.storage_and_layout();
        let sequences = x.dims().first().copied().unwrap_or(1);
        let dx = self.apply(tensor_values(&storage, layout)?, sequences);
        Ok(Some(Tensor::from_vec(dx, x.shape(), &Device::Cpu)?))
    }
}

/// The definition: the product with the factors.
pub(super) fn composed(x: &Tensor, dropout: Dropout) -> Result<Tensor> {
    x * dropout.factors(None, x)?
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Result, Tensor};

    use super::{Dropout, derive_key};

    #[test]
    fn what_is_dropped_of_a_sequence_does_not_depend_on_its_batch() -> Result<()> {
        let dropout = Dropout::new(0.5, 9).expect("a rate");
        let ones = |shape: &[usize]| Tensor::ones(shape, candle_core::DType::F32, &Device::Cpu);
        let hidden = |sequences, tokens, first| -> Result<Tensor> {
            let x = ones(&[sequences, tokens, 8])?;
            super::super::dropout(&x, Some(dropout.from_sequence(first)))
        };
        let values = |x: Tensor| x.flatten_all()?.to_vec1::<f32>();
        // The second of three sequences of 5 tokens, alone and padded to 7.
        let whole = values(hidden(3, 5, 0)?.get(1)?)?;
        assert_eq!(values(hidden(1, 7, 1)?.get(0)?.narrow(0, 0, 5)?)?, whole);
        assert_ne!(values(hidden(1, 5, 0)?.get(0)?)?, whole);
        let heads = |sequences, tokens, first| -> Result<Tensor> {
            dropout.from_sequence(first).factors(Some(2), &ones(&[sequences, 2, tokens, tokens])?)
        };
        let square = |x: Tensor| values(x.narrow(1, 0, 5)?.narrow(2, 0, 5)?.contiguous()?);
        let whole = square(heads(3, 5, 0)?.get(1)?)?;
        assert_eq!(square(heads(1, 7, 1)?.get(0)?)?, whole);
        assert_ne!(square(heads(1, 5, 0)?.get(0)?)?, whole);
        Ok(())
    }

    #[test]
    fn the_rate_is_met_and_neighbors_do_not_depend_on_each_other() {
        for rate in [0.1, 0.5] {
            let dropout = Dropout::new(rate, derive_key(1, 2)).expect("a rate");
            let n = 1 << 20;
            for part in [dropout.sequence(0), dropout.sequence(1)] {
                let dropped: Vec<bool> = (0..=n).map(|index| part.at(index) == 0.0).collect();
                let share = |count: usize| count as f64 / f64::from(n);
                let one = share(dropped[1..].iter().filter(|d| **d).count());
                let both = share(dropped.windows(2).filter(|pair| pair[0] && pair[1]).count());
                // Five standard deviations of a million draws.
                let deviation = |p: f64| 5.0 * (p * (1.0 - p) / f64::from(n)).sqrt();
                assert!((one - rate).abs() < deviation(rate), "{one} dropped of {rate}");
                let pairs = rate * rate;
                assert!((both - pairs).abs() < 2.0 * deviation(pairs), "{both} pairs of {pairs}");
            }
        }
        assert!(Dropout::new(0.0, 1).is_none());
    }
}
