//! Views of the f32 values that candle keeps on the CPU.

use candle_core::{CpuStorage, Layout, Result, Storage, bail};

/// The values of a contiguous f32 CPU storage.
pub(crate) fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(all), Some((start, end))) => Ok(&all[start..end]),
        (CpuStorage::F32(_), None) => bail!("the operation needs a contiguous tensor"),
        _ => bail!("the operation needs an f32 tensor"),
    }
}

/// The values of a tensor that [`candle_core::Tensor::storage_and_layout`] has opened.
pub(crate) fn tensor_values<'a>(storage: &'a Storage, layout: &Layout) -> Result<&'a [f32]> {
    match storage {
        Storage::Cpu(storage) => values(storage, layout),
        _ => bail!("the operation needs a tensor on the CPU"),
    }
}

/// The values of a contiguous f32 CPU storage, to be changed.
pub(crate) fn values_mut<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(all), Some((start, end))) => Ok(&mut all[start..end]),
        (CpuStorage::F32(_), None) => bail!("the operation needs a contiguous tensor"),
        _ => bail!("the operation needs an f32 tensor"),
    }
}
