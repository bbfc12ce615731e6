//! Tensors of one `pytorch_model.bin`: a zip archive with a pickle that describes them and a file of bytes for
//! each, as `torch.save` has written since PyTorch 1.6. The pickle is interpreted by candle, which runs no code
//! from it.

use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use candle_core::DType;
use candle_core::pickle::PthTensors;

/// An open archive. Only the names and shapes of the tensors are held in memory.
pub(super) struct Pickle {
    path: PathBuf,
    tensors: PthTensors,
}

impl Pickle {
    /// Reads the pickle.
    pub(super) fn open(path: PathBuf) -> Result<Self> {
        std::fs::File::open(&path).with_context(|| format!("{}: cannot read", path.display()))?;
        // candle trusts the shape of the pickled objects; one that was made to mislead it makes it panic.
        let tensors = catch_unwind(|| PthTensors::new(&path, None).map_err(anyhow::Error::from))
            .unwrap_or_else(|_| Err(anyhow!("the pickle describes its tensors wrongly")))
            .with_context(|| {
                format!(
                    "{}: not a zip archive of torch.save, or cut short; fetch it again, or save the model anew \
                     with save_pretrained(safe_serialization=True)",
                    path.display()
                )
            })?;
        ensure!(
            !tensors.tensor_infos().is_empty(),
            "{}: it holds no tensors by name; save model.state_dict()",
            path.display()
        );
        Ok(Pickle { path, tensors })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The names of the tensors as they are stored.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.tensor_infos().keys().map(String::as_str)
    }

    /// The values of a tensor in f32, row-major.
    pub(super) fn values(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let info = self.tensors.tensor_infos().get(name).context("it is missing")?;
        super::check_shape(info.layout.dims(), shape)?;
        match info.dtype {
            DType::F32 | DType::F16 | DType::BF16 => {}
            other => bail!("it is stored as {other:?}; save the checkpoint as f32, f16 or bf16"),
        }
        let tensor = self.tensors.get(name).context("cannot read; fetch the checkpoint again")?;
        let tensor = tensor.context("it is missing")?;
        Ok(tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?)
    }
}
