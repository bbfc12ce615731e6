//! Tensors of one safetensors file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use super::numbers::{self, Number};
use crate::files;

/// Bytes of the number that begins a safetensors file: the length of its header.
const LENGTH_BYTES: u64 = 8;

/// The longest header that the format allows, in bytes.
const MAX_HEADER: u64 = 100_000_000;

/// Bytes that are converted at once; a multiple of every number's size.
const CHUNK: usize = 1 << 18;

/// An open file. Only its header is held in memory.
pub(super) struct Safetensors {
    path: PathBuf,
    file: File,
    /// Where the tensors' bytes begin in the file.
    data: u64,
    tensors: BTreeMap<String, TensorInfo>,
}

impl Safetensors {
    /// Reads the header.
    pub(super) fn open(path: PathBuf) -> Result<Self> {
        files::refuse_lfs_pointer(&path, &files::first_bytes(&path)?)?;
        let mut file = File::open(&path).with_context(|| format!("{}: cannot read", path.display()))?;
        let (data, metadata) = header(&mut file).with_context(|| {
            format!("{}: not a safetensors file, or cut short; fetch the checkpoint again", path.display())
        })?;
        let tensors = metadata.tensors().into_iter();
        let tensors = tensors.map(|(name, info)| (name, info.clone())).collect();
        Ok(Safetensors { path, file, data, tensors })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The names of the tensors as they are stored.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The values of a tensor in f32, row-major.
    pub(super) fn values(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let info = self.tensors.get(name).context("it is missing")?;
        super::check_shape(&info.shape, shape)?;
        let number = match info.dtype {
            Dtype::F64 => Number::F64,
            Dtype::F32 => Number::F32,
            Dtype::F16 => Number::F16,
            Dtype::BF16 => Number::Bf16,
            other => return numbers::refuse(&other.to_string()),
        };
        let (start, end) = info.data_offsets;
        let mut file = &self.file;
        file.seek(SeekFrom::Start(self.data + start as u64)).context("cannot read")?;
        let mut values = Vec::with_capacity(shape.iter().product());
        let mut left = end - start;
        let mut bytes = vec![0; CHUNK.min(left)];
        while left > 0 {
            bytes.truncate(left);
            file.read_exact(&mut bytes).context("cannot read")?;
            number.read(&bytes, &mut values);
            left -= bytes.len();
        }
        Ok(values)
    }
}

/// Where the data begin, and the header, whose offsets lie inside the file.
fn header(file: &mut File) -> Result<(u64, Metadata)> {
    let file_len = file.metadata()?.len();
    let mut length = [0; LENGTH_BYTES as usize];
    file.read_exact(&mut length).ok().context("it has no header")?;
    let length = u64::from_le_bytes(length);
    ensure!(length <= MAX_HEADER.min(file_len), "its header would be {length} bytes long");
    let mut text = Vec::new();
    file.take(length).read_to_end(&mut text)?;
    // The reader's own words would be about its types.
    let metadata: Metadata =
        serde_json::from_slice(&text).ok().context("its header does not describe tensors")?;
    let data = LENGTH_BYTES + length;
    let expected = data.saturating_add(metadata.data_len() as u64);
    ensure!(file_len == expected, "it is {file_len} bytes long, its header says {expected}");
    Ok((data, metadata))
}
