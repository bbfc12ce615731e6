//! Multi-head attention, fused: no transposed copies and no stored probabilities.

use candle_core::{CpuStorage, CustomOp3, Device, Layout, Result, Shape, Storage, Tensor, bail};
use rayon::prelude::*;

use super::dropout::{Dropout, Factors};
use super::math::exp;
use super::product::{Matrix, product};
use super::products::Products;
use super::round::{round_probabilities, round_score};
use super::rows::{dot, sum, vectorized};
use super::storage::values;

/// See [`super::attention`]. One task handles one sequence, head after head.
pub(super) struct Attention {
    pub(super) heads: usize,
    /// Added to the scores of a key, `[batch, tokens]`.
    pub(super) bias: Vec<f32>,
    /// Of the probabilities.
    pub(super) dropout: Option<Dropout>,
    /// Rounds the probabilities as the engine does.
    pub(super) quantized: bool,
    pub(super) products: Products,
}

/// The shape of one sequence.
#[derive(Clone, Copy)]
struct Sequence {
    tokens: usize,
    hidden: usize,
    head: usize,
    products: Products,
}

impl Sequence {
    /// Values of a sequence.
    fn len(self) -> usize {
        self.tokens * self.hidden
    }

    fn scale(self) -> f32 {
        1.0 / (self.head as f32).sqrt()
    }

    /// A `[tokens, tokens]` matrix.
    fn square(self, storage: &CpuStorage) -> Matrix<'_> {
        Matrix::new(storage, 0, self.tokens, self.tokens)
    }

    /// The probabilities of one head, `[queries, keys]`; `quantized`: of rounded scores.
    fn probabilities(self, q: Matrix<'_>, k: Matrix<'_>, bias: &[f32], quantized: bool) -> Result<Vec<f32>> {
        let mut scores = product(q, k.t(), self.products)?;
        let scale = self.scale();
        vectorized(
            #[inline(always)]
            || {
                for row in scores.chunks_exact_mut(self.tokens) {
                    let mut max = f32::MIN;
                    for (score, bias) in row.iter_mut().zip(bias) {
                        let value = *score * scale;
                        *score = if quantized { round_score(value) } else { value } + bias;
                        max = if *score > max { *score } else { max };
                    }
                    row.iter_mut().for_each(|score| *score = exp(*score - max));
                    let scale = 1.0 / sum(row);
                    row.iter_mut().for_each(|score| *score *= scale);
                }
            },
        );
        Ok(scores)
    }

    /// Puts the values of one head, `[tokens, head]`, to their place in a sequence.
    fn put(self, sequence: &mut [f32], head: usize, values: &[f32]) {
        let at = head * self.head;
        for (row, values) in sequence.chunks_exact_mut(self.hidden).zip(values.chunks_exact(self.head)) {
            row[at..at + self.head].copy_from_slice(values);
        }
    }
}

/// A contiguous `[batch, tokens, hidden]` tensor, of which heads are read.
#[derive(Clone, Copy)]
struct Heads<'a> {
    storage: &'a CpuStorage,
    start: usize,
    shape: Sequence,
}

impl<'a> Heads<'a> {
    fn new(storage: &'a CpuStorage, layout: &Layout, shape: Sequence) -> Result<Self> {
        values(storage, layout)?;
        Ok(Heads { storage, start: layout.start_offset(), shape })
    }

    fn of_tensor(storage: &'a Storage, layout: &Layout, shape: Sequence) -> Result<Self> {
        match storage {
            Storage::Cpu(storage) => Self::new(storage, layout, shape),
            _ => bail!("attention: a tensor is not on the CPU"),
        }
    }

    /// The `[tokens, head]` matrix of one head of one sequence.
    fn matrix(self, sequence: usize, head: usize) -> Matrix<'a> {
        let Sequence { tokens, hidden, .. } = self.shape;
        let start = self.start + sequence * self.shape.len() + head * self.shape.head;
        Matrix::new(self.storage, start, tokens, self.shape.head).with_row_stride(hidden)
    }
}

impl Attention {
    fn sequence(&self, dims: &[usize]) -> Result<Sequence> {
        let &[batch, tokens, hidden] = dims else { bail!("attention: q is {dims:?}, not of rank 3") };
        if self.heads == 0 || hidden % self.heads != 0 || self.bias.len() != batch * tokens {
            bail!("attention: q {dims:?}, {} heads, bias of {}", self.heads, self.bias.len());
        }
        Ok(Sequence { tokens, hidden, head: hidden / self.heads, products: self.products })
    }

    /// What one head drops.
    fn factors(&self, sequence: usize, head: usize) -> Option<Factors> {
        Some(self.dropout?.head(sequence, self.heads, head))
    }
}

impl CustomOp3 for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        q_layout: &Layout,
        k: &CpuStorage,
        k_layout: &Layout,
        v: &CpuStorage,
        v_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let shape = self.sequence(q_layout.dims())?;
        if k_layout.dims() != q_layout.dims() || v_layout.dims() != q_layout.dims() {
            bail!("attention: q {:?}, k {:?}, v {:?}", q_layout, k_layout, v_layout);
        }
        let mut out = vec![0.0; values(q, q_layout)?.len()];
        let (q, k) = (Heads::new(q, q_layout, shape)?, Heads::new(k, k_layout, shape)?);
        let v = Heads::new(v, v_layout, shape)?;
        let sequences = out.par_chunks_mut(shape.len()).zip(self.bias.par_chunks(shape.tokens));
        sequences.enumerate().try_for_each(|(sequence, (out, bias))| {
            for head in 0..self.heads {
                let [q, k, v] = [q, k, v].map(|heads| heads.matrix(sequence, head));
                let mut p = shape.probabilities(q, k, bias, self.quantized)?;
                if self.quantized {
                    round_rows(&mut p, shape.tokens);
                }
                if let Some(factors) = self.factors(sequence, head) {
                    drop_out(&mut p, shape.tokens, factors);
                }
                let p = CpuStorage::F32(p);
                shape.put(out, head, &product(shape.square(&p), v, self.products)?);
            }
            Ok::<_, candle_core::Error>(())
        })?;
        Ok((CpuStorage::F32(out), q_layout.shape().clone()))
    }

    fn bwd(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let shape = self.sequence(q.dims())?;
        let grad = grad.contiguous()?;
        let ((gs, gl), (qs, ql)) = (grad.storage_and_layout(), q.storage_and_layout());
        let ((ks, kl), (vs, vl)) = (k.storage_and_layout(), v.storage_and_layout());
        let heads = |storage, layout| Heads::of_tensor(storage, layout, shape);
        let inputs = [heads(&qs, ql)?, heads(&ks, kl)?, heads(&vs, vl)?, heads(&gs, gl)?];
        let zeros = || vec![0.0; q.elem_count()];
        let (mut dq, mut dk, mut dv) = (zeros(), zeros(), zeros());
        let len = shape.len();
        (dq.par_chunks_mut(len), dk.par_chunks_mut(len), dv.par_chunks_mut(len))
            .into_par_iter()
            .zip(self.bias.par_chunks(shape.tokens))
            .enumerate()
            .try_for_each(|(sequence, ((dq, dk, dv), bias))| {
                (0..self.heads).try_for_each(|head| {
                    let inputs = inputs.map(|x| x.matrix(sequence, head));
                    let gradients =
                        head_backward(shape, inputs, bias, self.factors(sequence, head), self.quantized)?;
                    for (whole, part) in [&mut *dq, &mut *dk, &mut *dv].into_iter().zip(gradients) {
                        shape.put(whole, head, &part);
                    }
                    Ok::<_, candle_core::Error>(())
                })
            })?;
        Ok((
            Some(Tensor::from_vec(dq, q.shape(), &Device::Cpu)?),
            Some(Tensor::from_vec(dk, k.shape(), &Device::Cpu)?),
            Some(Tensor::from_vec(dv, v.shape(), &Device::Cpu)?),
        ))
    }
}

fn round_rows(p: &mut [f32], tokens: usize) {
    vectorized(
        #[inline(always)]
        || p.chunks_exact_mut(tokens).for_each(round_probabilities),
    );
}

fn drop_out(p: &mut [f32], tokens: usize, factors: Factors) {
    vectorized(
        #[inline(always)]
        || factors.apply_rows(p, tokens),
    );
}

/// The gradients dq, dk and dv of one head. With p the probabilities, m what dropout multiplies them with and g the
/// gradient of the result: dv = (p ⊙ m)ᵀ·g, dp = (g·vᵀ) ⊙ m, ds = scale · p ⊙ (dp − rowsum(p ⊙ dp)), dq = ds·k,
/// dk = dsᵀ·q. `quantized` rounds the scores, and the p of dv only: straight through.
fn head_backward(
    shape: Sequence,
    [q, k, v, g]: [Matrix<'_>; 4],
    bias: &[f32],
    factors: Option<Factors>,
    quantized: bool,
) -> Result<[Vec<f32>; 3]> {
    let (tokens, scale) = (shape.tokens, shape.scale());
    let mut p = shape.probabilities(q, k, bias, quantized)?;
    let product = |a, b| product(a, b, shape.products);
    let mut ds = product(g, v.t())?;
    if let Some(factors) = factors {
        drop_out(&mut ds, tokens, factors);
    }
    vectorized(
        #[inline(always)]
        || {
            for (ds, p) in ds.chunks_exact_mut(tokens).zip(p.chunks_exact(tokens)) {
                let mean = dot(ds, p);
                ds.iter_mut().zip(p).for_each(|(ds, p)| *ds = scale * p * (*ds - mean));
            }
        },
    );
    if quantized {
        round_rows(&mut p, tokens);
    }
    if let Some(factors) = factors {
        drop_out(&mut p, tokens, factors);
    }
    let (p, ds) = (CpuStorage::F32(p), CpuStorage::F32(ds));
    let (p, ds) = (shape.square(&p), shape.square(&ds));
    Ok([product(ds, k)?, product(ds.t(), q)?, product(p.t(), g)?])
}
