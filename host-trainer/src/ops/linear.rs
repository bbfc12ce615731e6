//! `x · wᵀ + b`, fused.

use candle_core::{CpuStorage, CustomOp3, Device, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::product::{Matrix, product};
use super::rows::{ROWS_PER_TASK, sum_rows};
use super::storage::{tensor_values, values};

/// See [`super::linear`].
pub(super) struct Linear;

impl CustomOp3 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        w: &CpuStorage,
        w_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (outputs, inputs) = w_layout.shape().dims2()?;
        let mut shape = x_layout.dims().to_vec();
        if shape.pop() != Some(inputs) || b_layout.dims() != [outputs] {
            bail!("linear: x {:?}, w {:?}, b {:?}", x_layout.shape(), w_layout.shape(), b_layout.shape());
        }
        shape.push(outputs);
        let (rows, bias) = (values(x, x_layout)?.len() / inputs.max(1), values(b, b_layout)?);
        let x = Matrix::new(x, x_layout.start_offset(), rows, inputs);
        let w = Matrix::new(w, w_layout.start_offset(), outputs, inputs);
        let mut y = product(x, w.t())?;
        y.par_chunks_mut(ROWS_PER_TASK * outputs).for_each(|chunk| {
            for row in chunk.chunks_exact_mut(outputs) {
                row.iter_mut().zip(bias).for_each(|(y, bias)| *y += bias);
            }
        });
        Ok((CpuStorage::F32(y), shape.into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        b: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (outputs, inputs) = w.dims2()?;
        let rows = x.elem_count() / inputs.max(1);
        let grad = grad.reshape((rows, outputs))?;
        let dx = grad.matmul(&w.detach())?.reshape(x.shape())?;
        let dw = grad.t()?.matmul(&x.detach().reshape((rows, inputs))?)?;
        let (storage, layout) = grad.storage_and_layout();
        let db = sum_rows(tensor_values(&storage, layout)?, outputs);
        Ok((Some(dx), Some(dw), Some(Tensor::from_vec(db, b.shape(), &Device::Cpu)?)))
    }
}
