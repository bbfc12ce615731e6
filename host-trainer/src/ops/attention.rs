//! Multi-head attention, fused: no transposed copies and no stored probabilities.

use candle_core::{CpuStorage, CustomOp3, Device, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::gemm::{Matrix, Threads, gemm};
use super::math::exp;
use super::rows::{dot, sum, vectorized};
use super::{tensor_values, values};

/// See [`super::attention`]. One task handles one sequence, head after head.
pub(super) struct Attention {
    pub(super) heads: usize,
    /// Added to the scores of a key, `[batch, tokens]`.
    pub(super) bias: Vec<f32>,
}

/// The shape of one sequence.
#[derive(Clone, Copy)]
struct Sequence {
    tokens: usize,
    hidden: usize,
    head: usize,
}

impl Sequence {
    /// One head's columns of a `[tokens, hidden]` matrix.
    fn head(self, data: &[f32], index: usize) -> Matrix<'_> {
        Matrix::new(&data[index * self.head..], self.tokens, self.head, self.hidden)
    }

    /// A `[tokens, tokens]` matrix.
    fn square(self, data: &[f32]) -> Matrix<'_> {
        Matrix::new(data, self.tokens, self.tokens, self.tokens)
    }

    fn scale(self) -> f32 {
        1.0 / (self.head as f32).sqrt()
    }

    /// Fills `scores` (`[queries, keys]`) with the probabilities of one head.
    fn probabilities(self, scores: &mut [f32], q: &[f32], k: &[f32], bias: &[f32], head: usize) {
        let (q, k) = (self.head(q, head), self.head(k, head));
        gemm(scores, self.tokens, false, self.scale(), q, k.t(), Threads::One);
        vectorized(
            #[inline(always)]
            || {
                for row in scores.chunks_exact_mut(self.tokens) {
                    let mut max = f32::MIN;
                    for (score, bias) in row.iter_mut().zip(bias) {
                        *score += bias;
                        max = if *score > max { *score } else { max };
                    }
                    row.iter_mut().for_each(|score| *score = exp(*score - max));
                    let scale = 1.0 / sum(row);
                    row.iter_mut().for_each(|score| *score *= scale);
                }
            },
        );
    }
}

impl Attention {
    fn sequence(&self, dims: &[usize]) -> Result<Sequence> {
        let &[batch, tokens, hidden] = dims else { bail!("attention: q is {dims:?}, not of rank 3") };
        if self.heads == 0 || hidden % self.heads != 0 || self.bias.len() != batch * tokens {
            bail!("attention: q {dims:?}, {} heads, bias of {}", self.heads, self.bias.len());
        }
        Ok(Sequence { tokens, hidden, head: hidden / self.heads })
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
        let (q, k, v) = (values(q, q_layout)?, values(k, k_layout)?, values(v, v_layout)?);
        let mut out = vec![0.0; q.len()];
        let len = shape.tokens * shape.hidden;
        out.par_chunks_mut(len)
            .zip((q.par_chunks(len), k.par_chunks(len), v.par_chunks(len)))
            .zip(self.bias.par_chunks(shape.tokens))
            .for_each(|((out, (q, k, v)), bias)| {
                let mut scores = vec![0.0; shape.tokens * shape.tokens];
                for head in 0..self.heads {
                    shape.probabilities(&mut scores, q, k, bias, head);
                    let (p, v) = (shape.square(&scores), shape.head(v, head));
                    gemm(&mut out[head * shape.head..], shape.hidden, false, 1.0, p, v, Threads::One);
                }
            });
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
        let (gs, qs) = (tensor_values(&gs, gl)?, tensor_values(&qs, ql)?);
        let (ks, vs) = (tensor_values(&ks, kl)?, tensor_values(&vs, vl)?);
        let (mut dq, mut dk, mut dv) = (vec![0.0; qs.len()], vec![0.0; qs.len()], vec![0.0; qs.len()]);
        let len = shape.tokens * shape.hidden;
        (dq.par_chunks_mut(len), dk.par_chunks_mut(len), dv.par_chunks_mut(len))
            .into_par_iter()
            .zip((qs.par_chunks(len), ks.par_chunks(len), vs.par_chunks(len), gs.par_chunks(len)))
            .zip(self.bias.par_chunks(shape.tokens))
            .for_each(|((d, inputs), bias)| self.sequence_backward(shape, d, inputs, bias));
        Ok((
            Some(Tensor::from_vec(dq, q.shape(), &Device::Cpu)?),
            Some(Tensor::from_vec(dk, k.shape(), &Device::Cpu)?),
            Some(Tensor::from_vec(dv, v.shape(), &Device::Cpu)?),
        ))
    }
}

impl Attention {
    /// Gradients of one sequence. With p the probabilities and g the gradient of the result:
    /// dv = pᵀ·g, dp = g·vᵀ, ds = p ⊙ (dp − rowsum(p ⊙ dp)), dq = ds·k·scale, dk = dsᵀ·q·scale.
    fn sequence_backward(
        &self,
        shape: Sequence,
        (dq, dk, dv): (&mut [f32], &mut [f32], &mut [f32]),
        (q, k, v, g): (&[f32], &[f32], &[f32], &[f32]),
        bias: &[f32],
    ) {
        let Sequence { tokens, hidden, .. } = shape;
        let (mut p, mut ds) = (vec![0.0; tokens * tokens], vec![0.0; tokens * tokens]);
        for head in 0..self.heads {
            let at = head * shape.head;
            shape.probabilities(&mut p, q, k, bias, head);
            let g = shape.head(g, head);
            gemm(&mut dv[at..], hidden, false, 1.0, shape.square(&p).t(), g, Threads::One);
            gemm(&mut ds, tokens, false, 1.0, g, shape.head(v, head).t(), Threads::One);
            vectorized(
                #[inline(always)]
                || {
                    for (ds, p) in ds.chunks_exact_mut(tokens).zip(p.chunks_exact(tokens)) {
                        let mean = dot(ds, p);
                        ds.iter_mut().zip(p).for_each(|(ds, p)| *ds = p * (*ds - mean));
                    }
                },
            );
            let (ds, scale) = (shape.square(&ds), shape.scale());
            gemm(&mut dq[at..], hidden, false, scale, ds, shape.head(k, head), Threads::One);
            gemm(&mut dk[at..], hidden, false, scale, ds.t(), shape.head(q, head), Threads::One);
        }
    }
}
