//! `x · wᵀ + b`, fused.

use candle_core::{CpuStorage, CustomOp3, Device, Layout, Result, Shape, Storage, Tensor, bail};
use rayon::prelude::*;

use super::product::{Matrix, product};
use super::products::Products;
use super::rows::{ROWS_PER_TASK, sum_rows};
use super::storage::{tensor_values, values};

/// See [`super::linear`].
pub(super) struct Linear {
    pub(super) products: Products,
}

/// The rows of a contiguous tensor on the CPU.
fn rows_of<'a>(storage: &'a Storage, layout: &Layout, rows: usize, columns: usize) -> Result<Matrix<'a>> {
    match storage {
        Storage::Cpu(storage) if layout.is_contiguous() => {
            Ok(Matrix::new(storage, layout.start_offset(), rows, columns))
        }
        _ => bail!("linear: a tensor is not contiguous or not on the CPU"),
    }
}

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
        let mut y = product(x, w.t(), self.products)?;
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
        let grad = grad.contiguous()?;
        let ((gs, gl), (xs, xl)) = (grad.storage_and_layout(), x.storage_and_layout());
        let (ws, wl) = w.storage_and_layout();
        let db = sum_rows(tensor_values(&gs, gl)?, outputs);
        let (x_rows, w_rows) = (rows_of(&xs, xl, rows, inputs)?, rows_of(&ws, wl, outputs, inputs)?);
        let grad = rows_of(&gs, gl, rows, outputs)?;
        // What nothing trained has a part in needs no gradient: the embeddings, where they are frozen.
        let dx = x.track_op().then(|| product(grad, w_rows, self.products)).transpose()?;
        let dw = product(grad.t(), x_rows, self.products)?;
        let tensor = |values, like: &Tensor| Tensor::from_vec(values, like.shape(), &Device::Cpu);
        Ok((dx.map(|dx| tensor(dx, x)).transpose()?, Some(tensor(dw, w)?), Some(tensor(db, b)?)))
    }
}
