//! Dropout whose choices are a function of a key and a position: nothing is stored between the forward and the
//! backward pass, and a run is repeated to the bit whatever the threads do.

use candle_core::{CpuStorage, CustomOp1, Device, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::rows::vectorized;
use super::storage::{tensor_values, values};

/// Values that one task handles; each such part of a tensor has a key of its own.
const CHUNK: usize = 1 << 14;

/// Which values are dropped. What stays is scaled by `1 / (1 − rate)`, so that sums keep their expectation.
#[derive(Clone, Copy, Debug)]
pub struct Dropout {
    key: u64,
    rate: f64,
}

impl Dropout {
    /// Drops each value with the probability `rate`, 0 to 1; nothing for a rate of 0. Another key, other choices.
    pub fn new(rate: f64, key: u64) -> Option<Self> {
        (rate > 0.0).then_some(Dropout { key, rate })
    }

    /// The choices for one part of a tensor.
    pub(super) fn part(self, part: usize) -> Factors {
        let key = mix(self.key.wrapping_add(mix(part as u64)));
        Factors {
            first: key as u32,
            second: (key >> 32) as u32,
            dropped: (self.rate.min(1.0) * f64::from(u32::MAX)) as u32,
            scale: (1.0 / (1.0 - self.rate).max(f64::MIN_POSITIVE)) as f32,
        }
    }

    /// The factors of all values of a tensor that is cut into parts of `part` values.
    ///
    /// An accelerator draws its own, by the seed that was set last.
    pub(super) fn factors(self, shape: &Shape, part: usize, like: &Tensor) -> Result<Tensor> {
        let device = like.device();
        let factors = if device.is_cpu() {
            let mut all = vec![0.0; shape.elem_count()];
            all.par_chunks_mut(part).enumerate().for_each(|(part, all)| {
                let factors = self.part(part);
                all.iter_mut().zip(0..).for_each(|(factor, index)| *factor = factors.at(index));
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

/// See [`super::dropout`].
pub(super) struct Fused(pub(super) Dropout);

impl Fused {
    fn apply(&self, x: &[f32]) -> Vec<f32> {
        let mut y = vec![0.0; x.len()];
        y.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK)).enumerate().for_each(|(part, (y, x))| {
            let factors = self.0.part(part);
            vectorized(
                #[inline(always)]
                || {
                    for ((y, x), index) in y.iter_mut().zip(x).zip(0..) {
                        *y = x * factors.at(index);
                    }
                },
            );
        });
        y
    }
}

impl CustomOp1 for Fused {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok((CpuStorage::F32(self.apply(values(x, layout)?)), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let grad = grad.contiguous()?;
        let (storage, layout) = grad.storage_and_layout();
        let dx = self.apply(tensor_values(&storage, layout)?);
        Ok(Some(Tensor::from_vec(dx, x.shape(), &Device::Cpu)?))
    }
}

/// The definition: the product with the factors.
pub(super) fn composed(x: &Tensor, dropout: Dropout) -> Result<Tensor> {
    x * dropout.factors(x.shape(), CHUNK, x)?
}

#[cfg(test)]
mod tests {
    use super::{Dropout, derive_key};

    #[test]
    fn the_rate_is_met_and_neighbors_do_not_depend_on_each_other() {
        for rate in [0.1, 0.5] {
            let dropout = Dropout::new(rate, derive_key(1, 2)).expect("a rate");
            let n = 1 << 20;
            for part in [dropout.part(0), dropout.part(1)] {
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
