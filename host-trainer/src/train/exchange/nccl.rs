//! Workers on NVIDIA GPUs, whose gradients go from GPU to GPU. What lies in the memory of the host goes another way.

use anyhow::{Result, bail, ensure};
use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::CudaStorage;
use candle_core::cuda_backend::cudarc::nccl::{Comm, Id};
use candle_core::{CpuStorage, CustomOp1, DType, Device, Error, Layout, Shape, Tensor};

use super::Exchange;
use super::in_rank_order::BUCKET;

/// The bytes of NCCL's unique id.
const ID: usize = 128;

/// An exchange over NCCL for tensors on the GPU, and over another one for the rest.
pub(super) struct Nccl {
    comm: Comm,
    device: Device,
    others: Box<dyn Exchange>,
}

impl Nccl {
    /// Connects the GPU of a worker to those of all others; `others` tells them how.
    ///
    /// # Errors
    /// A failure of NCCL or of the other exchange.
    pub fn connect(mut others: Box<dyn Exchange>, device: &Device) -> Result<Self> {
        let Device::Cuda(cuda) = device else { bail!("--backend nccl needs --device cuda") };
        // Worker 0 makes the id; a sum with the zeros of all others takes it to them.
        let mut bytes = [0.0f32; ID];
        if others.rank() == 0 {
            let id = Id::new().map_err(failed)?;
            bytes.iter_mut().zip(id.internal()).for_each(|(value, byte)| *value = f32::from(*byte));
        }
        let mut shared = Tensor::new(&bytes, &Device::Cpu)?;
        others.all_reduce_sum(&mut [&mut shared])?;
        let shared = shared.to_vec1::<f32>()?;
        let mut id = [0; ID];
        id.iter_mut().zip(shared).for_each(|(byte, value)| *byte = value as core::ffi::c_char);
        let (rank, workers) = (others.rank(), others.workers());
        let comm = Comm::from_rank(cuda.cuda_stream(), rank, workers, Id::uninit(id)).map_err(failed)?;
        Ok(Nccl { comm, device: device.clone(), others })
    }

    /// The sum of a flat tensor over all workers, in the order of their ranks: all values come to every worker.
    fn sum(&self, values: &Tensor) -> Result<Tensor> {
        let all = values.contiguous()?.apply_op1_no_bwd(&Gather(&self.comm))?;
        let mut sum = all.get(0)?;
        for worker in 1..self.others.workers() {
            sum = (sum + all.get(worker)?)?;
        }
        Ok(sum)
    }
}

impl Exchange for Nccl {
    fn rank(&self) -> usize {
        self.others.rank()
    }

    fn workers(&self) -> usize {
        self.others.workers()
    }

    fn local_rank(&self) -> usize {
        self.others.local_rank()
    }

    fn all_reduce_sum(&mut self, tensors: &mut [&mut Tensor]) -> Result<()> {
        let is_here = |tensor: &Tensor| tensor.device().same_device(&self.device);
        let (mut here, mut elsewhere) = (Vec::new(), Vec::new());
        for tensor in tensors.iter_mut() {
            if is_here(tensor) { here.push(&mut **tensor) } else { elsewhere.push(&mut **tensor) }
        }
        // First, so that a worker that is lost already is noticed: NCCL would wait for it.
        self.others.all_reduce_sum(&mut elsewhere)?;
        for tensor in here {
            ensure!(tensor.dtype() == DType::F32, "workers exchange f32 on GPUs, not {:?}", tensor.dtype());
            let flat = tensor.flatten_all()?;
            let len = flat.elem_count();
            let bucket = |start| self.sum(&flat.narrow(0, start, BUCKET.min(len - start))?);
            let sums = (0..len).step_by(BUCKET).map(bucket).collect::<Result<Vec<_>>>()?;
            let sum = match &sums[..] {
                [] => continue,
                [one] => one.clone(),
                more => Tensor::cat(more, 0)?,
            };
            *tensor = sum.reshape(tensor.shape())?;
        }
        Ok(())
    }
}

fn failed(error: impl core::fmt::Debug) -> anyhow::Error {
    anyhow::anyhow!("NCCL: {error:?}")
}

/// The values of all workers, `[workers, values]`.
struct Gather<'c>(&'c Comm);

impl CustomOp1 for Gather<'_> {
    fn name(&self) -> &'static str {
        "nccl_all_gather"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        candle_core::bail!("NCCL takes what lies on a GPU")
    }

    fn cuda_fwd(&self, values: &CudaStorage, layout: &Layout) -> candle_core::Result<(CudaStorage, Shape)> {
        let (start, end) = layout.contiguous_offsets().ok_or_else(|| Error::msg("not contiguous"))?;
        let device = values.device();
        let values = values.as_cuda_slice::<f32>()?.slice(start..end);
        let workers = self.0.world_size();
        let mut all = device.alloc_zeros::<f32>(workers * (end - start))?;
        self.0.all_gather(&values, &mut all).map_err(|error| Error::msg(format!("NCCL: {error:?}")))?;
        Ok((CudaStorage::wrap_cuda_slice(all, device.clone()), Shape::from((workers, end - start))))
    }
}
