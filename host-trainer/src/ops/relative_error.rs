//! Squared distance to a target as a share of the target's own square, fused.

use candle_core::{CpuStorage, CustomOp1, Device, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::rows::{ROWS_PER_TASK, dot, vectorized};
use super::storage::{tensor_values, values};

/// See [`super::relative_error`].
pub(super) struct RelativeError {
    target: Tensor,
    mask: Vec<f32>,
    columns: usize,
    /// Σ‖target‖² over the rows that count.
    norm: f32,
}

impl RelativeError {
    pub(super) fn new(target: &Tensor, mask: &Tensor) -> Result<Self> {
        let target = target.detach().contiguous()?;
        let mask = mask.flatten_all()?.to_vec1::<f32>()?;
        let columns = target.dim(candle_core::D::Minus1)?;
        if columns * mask.len() != target.elem_count() {
            bail!("relative_error: target {:?}, mask of {}", target.shape(), mask.len());
        }
        let norm = {
            let (storage, layout) = target.storage_and_layout();
            reduce(tensor_values(&storage, layout)?, &mask, columns, |row, _| dot(row, row))
        };
        Ok(RelativeError { target, mask, columns, norm: norm.max(f32::MIN_POSITIVE) })
    }
}

/// The sum of `f(row, index)` over the rows that count, in an order that no thread changes.
fn reduce(data: &[f32], mask: &[f32], columns: usize, f: impl Fn(&[f32], usize) -> f32 + Sync) -> f32 {
    let partial: Vec<f32> = data
        .par_chunks(ROWS_PER_TASK * columns)
        .enumerate()
        .map(|(task, chunk)| {
            let first = task * ROWS_PER_TASK;
            let rows = chunk.chunks_exact(columns).zip(first..);
            vectorized(
                #[inline(always)]
                || rows.filter(|&(_, i)| mask[i] != 0.0).map(|(row, i)| f(row, i)).sum(),
            )
        })
        .collect();
    partial.iter().sum()
}

impl CustomOp1 for RelativeError {
    fn name(&self) -> &'static str {
        "relative_error"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        if layout.shape() != self.target.shape() {
            bail!("relative_error: x {:?}, target {:?}", layout.shape(), self.target.shape());
        }
        let (storage, target_layout) = self.target.storage_and_layout();
        let (x, target) = (values(x, layout)?, tensor_values(&storage, target_layout)?);
        let columns = self.columns;
        let distance = reduce(x, &self.mask, columns, |row, i| {
            let target = &target[i * columns..(i + 1) * columns];
            row.iter().zip(target).map(|(x, t)| (x - t) * (x - t)).sum()
        });
        Ok((CpuStorage::F32(vec![distance / self.norm]), Shape::from(())))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let scale = 2.0 * grad.to_scalar::<f32>()? / self.norm;
        let ((xs, xl), (ts, tl)) = (x.storage_and_layout(), self.target.storage_and_layout());
        let (xs, ts) = (tensor_values(&xs, xl)?, tensor_values(&ts, tl)?);
        let mut dx = vec![0.0; xs.len()];
        let columns = self.columns;
        let rows = (dx.par_chunks_mut(columns), xs.par_chunks(columns), ts.par_chunks(columns));
        rows.into_par_iter().zip(&self.mask).filter(|(_, mask)| **mask != 0.0).for_each(|((dx, x, t), _)| {
            for ((dx, x), t) in dx.iter_mut().zip(x).zip(t) {
                *dx = scale * (x - t);
            }
        });
        Ok(Some(Tensor::from_vec(dx, x.shape(), &Device::Cpu)?))
    }
}
