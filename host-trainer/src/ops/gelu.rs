//! GELU in its erf form, fused.

use blockspan_kernels::math;
use candle_core::{CpuStorage, CustomOp1, Device, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::math::normal;
use super::rows::vectorized;
use super::storage::{tensor_values, values};

/// Values that one task handles.
const CHUNK: usize = 1 << 14;

/// See [`super::gelu`].
pub(super) struct Gelu {
    pub(super) quantized: bool,
}

impl CustomOp1 for Gelu {
    fn name(&self) -> &'static str {
        "gelu"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = values(x, layout)?;
        let mut y = vec![0.0; x.len()];
        y.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK)).for_each(|(y, x)| {
            vectorized(
                #[inline(always)]
                || match self.quantized {
                    true => y.iter_mut().zip(x).for_each(|(y, &x)| *y = math::gelu(x)),
                    false => y.iter_mut().zip(x).for_each(|(y, &x)| *y = x * normal(x).0),
                },
            );
        });
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let grad = grad.contiguous()?;
        let ((g, gl), (xs, xl)) = (grad.storage_and_layout(), x.storage_and_layout());
        let (g, xs) = (tensor_values(&g, gl)?, tensor_values(&xs, xl)?);
        let mut dx = vec![0.0; xs.len()];
        let chunks = dx.par_chunks_mut(CHUNK).zip(xs.par_chunks(CHUNK)).zip(g.par_chunks(CHUNK));
        chunks.for_each(|((dx, x), g)| {
            vectorized(
                #[inline(always)]
                || {
                    for ((dx, &x), g) in dx.iter_mut().zip(x).zip(g) {
                        let (cumulative, density) = normal(x);
                        *dx = g * (cumulative + x * density);
                    }
                },
            );
        });
        Ok(Some(Tensor::from_vec(dx, x.shape(), &Device::Cpu)?))
    }
}
