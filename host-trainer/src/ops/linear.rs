//! `x · wᵀ + b`, fused.

use candle_core::{CpuStorage, CustomOp3, Device, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::gemm::{Matrix, Threads, gemm};
use super::rows::{ROWS_PER_TASK, sum_rows};
use super::{tensor_values, values};

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
        let (x, w, b) = (values(x, x_layout)?, values(w, w_layout)?, values(b, b_layout)?);
        let rows = x.len() / inputs;
        let mut y = vec![0.0; rows * outputs];
        y.par_chunks_mut(ROWS_PER_TASK * outputs).for_each(|chunk| {
            chunk.chunks_exact_mut(outputs).for_each(|row| row.copy_from_slice(b));
        });
        let (x, w) = (Matrix::new(x, rows, inputs, inputs), Matrix::new(w, outputs, inputs, inputs));
        gemm(&mut y, outputs, true, 1.0, x, w.t(), Threads::All);
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
        let grad = grad.contiguous()?;
        let ((g, gl), (xs, xl), (ws, wl)) =
            (grad.storage_and_layout(), x.storage_and_layout(), w.storage_and_layout());
        let (g, xs, ws) = (tensor_values(&g, gl)?, tensor_values(&xs, xl)?, tensor_values(&ws, wl)?);
        let rows = xs.len() / inputs;
        let g_matrix = Matrix::new(g, rows, outputs, outputs);
        let mut dw = vec![0.0; outputs * inputs];
        gemm(&mut dw, inputs, false, 1.0, g_matrix.t(), Matrix::new(xs, rows, inputs, inputs), Threads::All);
        let mut dx = vec![0.0; rows * inputs];
        let w_matrix = Matrix::new(ws, outputs, inputs, inputs);
        gemm(&mut dx, inputs, false, 1.0, g_matrix, w_matrix, Threads::All);
        let db = sum_rows(g, outputs);
        Ok((
            Some(Tensor::from_vec(dx, x.shape(), &Device::Cpu)?),
            Some(Tensor::from_vec(dw, w.shape(), &Device::Cpu)?),
            Some(Tensor::from_vec(db, b.shape(), &Device::Cpu)?),
        ))
    }
}
