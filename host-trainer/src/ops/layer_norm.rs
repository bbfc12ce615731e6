//! Layer normalization over the last dimension, fused.

use candle_core::{CpuStorage, CustomOp3, Device, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::rows::{ROWS_PER_TASK, dot, sum, sum_vectors, vectorized};
use super::storage::{tensor_values, values};

/// See [`super::layer_norm`].
pub(super) struct LayerNorm {
    pub(super) eps: f32,
}

/// The mean of a row and 1 / sqrt(variance + eps).
#[inline(always)]
fn statistics(row: &[f32], centered: &mut [f32], eps: f32) -> f32 {
    let mean = sum(row) / row.len() as f32;
    centered.iter_mut().zip(row).for_each(|(c, x)| *c = x - mean);
    1.0 / (dot(centered, centered) / row.len() as f32 + eps).sqrt()
}

impl CustomOp3 for LayerNorm {
    fn name(&self) -> &'static str {
        "layer_norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        gamma: &CpuStorage,
        gamma_layout: &Layout,
        beta: &CpuStorage,
        beta_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, gamma, beta) =
            (values(x, x_layout)?, values(gamma, gamma_layout)?, values(beta, beta_layout)?);
        let columns = gamma.len();
        if x_layout.dims().last() != Some(&columns) || beta.len() != columns || columns == 0 {
            bail!("layer_norm: x {:?}, gamma {columns}, beta {}", x_layout.shape(), beta.len());
        }
        let mut y = vec![0.0; x.len()];
        let task = ROWS_PER_TASK * columns;
        y.par_chunks_mut(task).zip(x.par_chunks(task)).for_each(|(y, x)| {
            vectorized(
                #[inline(always)]
                || {
                    for (y, x) in y.chunks_exact_mut(columns).zip(x.chunks_exact(columns)) {
                        let scale = statistics(x, y, self.eps);
                        for ((y, gamma), beta) in y.iter_mut().zip(gamma).zip(beta) {
                            *y = *y * scale * gamma + beta;
                        }
                    }
                },
            );
        });
        Ok((CpuStorage::F32(y), x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        gamma: &Tensor,
        beta: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let ((g, gl), (xs, xl), (gs, gsl)) =
            (grad.storage_and_layout(), x.storage_and_layout(), gamma.storage_and_layout());
        let (g, xs, gamma_values) =
            (tensor_values(&g, gl)?, tensor_values(&xs, xl)?, tensor_values(&gs, gsl)?);
        let columns = gamma_values.len();
        let task = ROWS_PER_TASK * columns;
        let mut dx = vec![0.0; xs.len()];
        let partial: Vec<(Vec<f32>, Vec<f32>)> = dx
            .par_chunks_mut(task)
            .zip(xs.par_chunks(task))
            .zip(g.par_chunks(task))
            .map(|((dx, x), g)| {
                vectorized(
                    #[inline(always)]
                    || self.rows_backward(dx, x, g, gamma_values),
                )
            })
            .collect();
        let (dgamma, dbeta): (Vec<_>, Vec<_>) = partial.into_iter().unzip();
        Ok((
            Some(Tensor::from_vec(dx, x.shape(), &Device::Cpu)?),
            Some(Tensor::from_vec(sum_vectors(&dgamma, columns), gamma.shape(), &Device::Cpu)?),
            Some(Tensor::from_vec(sum_vectors(&dbeta, columns), beta.shape(), &Device::Cpu)?),
        ))
    }
}

impl LayerNorm {
    /// Writes dx of some rows and returns their share of dgamma and dbeta.
    ///
    /// With n = (x − mean)·scale and h = g·gamma: dx = scale · (h − mean(h) − n · mean(h·n)).
    #[inline(always)]
    fn rows_backward(&self, dx: &mut [f32], x: &[f32], g: &[f32], gamma: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let columns = gamma.len();
        let (mut dgamma, mut dbeta) = (vec![0.0; columns], vec![0.0; columns]);
        let mut normal = vec![0.0; columns];
        let rows = dx.chunks_exact_mut(columns).zip(x.chunks_exact(columns)).zip(g.chunks_exact(columns));
        for ((dx, x), g) in rows {
            let scale = statistics(x, &mut normal, self.eps);
            normal.iter_mut().for_each(|n| *n *= scale);
            for (((dx, g), gamma), (n, (dgamma, dbeta))) in dx
                .iter_mut()
                .zip(g)
                .zip(gamma)
                .zip(normal.iter().zip(dgamma.iter_mut().zip(dbeta.iter_mut())))
            {
                *dx = g * gamma;
                *dgamma += g * n;
                *dbeta += g;
            }
            let mean = sum(dx) / columns as f32;
            let slope = dot(dx, &normal) / columns as f32;
            dx.iter_mut().zip(&normal).for_each(|(dx, n)| *dx = scale * (*dx - mean - n * slope));
        }
        (dgamma, dbeta)
    }
}
