//! Tensors of a checkpoint, read one by one, in any of the usual names and number formats.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use half::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

/// Bytes of the number that begins a safetensors file: the length of its header.
const LENGTH_BYTES: u64 = 8;

/// The longest header that the format allows, in bytes.
const MAX_HEADER: u64 = 100_000_000;

/// Bytes that are converted at once; a multiple of every number's size.
const CHUNK: usize = 1 << 18;

/// An open `model.safetensors`. Only the header is held in memory.
///
/// Names may lack the `bert.` prefix and may use the old `gamma` and `beta`; the reader knows them as
/// transformers' `BertForQuestionAnswering` names them.
pub struct Reader {
    path: PathBuf,
    file: File,
    /// Where the tensors' bytes begin in the file.
    data: u64,
    tensors: BTreeMap<String, TensorInfo>,
}

impl Reader {
    /// Opens `model.safetensors` in `directory` and reads its header.
    ///
    /// # Errors
    /// A file that cannot be read, is not safetensors or is cut short; the message names it.
    pub fn open(directory: &Path) -> Result<Self> {
        let path = directory.join("model.safetensors");
        let mut file = File::open(&path).with_context(|| {
            format!("{}: cannot read; the directory must hold its weights as safetensors", path.display())
        })?;
        let (data, metadata) = header(&mut file).with_context(|| {
            format!("{}: not a safetensors file, or cut short; fetch the checkpoint again", path.display())
        })?;
        let tensors = metadata.tensors().into_iter();
        let tensors = tensors.map(|(name, info)| (canonical_name(&name), info.clone())).collect();
        Ok(Reader { path, file, data, tensors })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file holds a tensor.
    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// The values of a tensor in f32, row-major.
    ///
    /// # Errors
    /// A tensor that is missing, of another shape than `shape`, of a number format other than f32, f16 and bf16,
    /// or not finite. The message names file and tensor.
    pub fn read(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let info = self.tensors.get(name).with_context(|| {
            format!(
                "{}: {name} is missing; give a BERT checkpoint that fits its config.json",
                self.path.display()
            )
        })?;
        self.values(info, shape).with_context(|| format!("{}: {name}", self.path.display()))
    }

    fn values(&self, info: &TensorInfo, shape: &[usize]) -> Result<Vec<f32>> {
        ensure!(info.shape == shape, "it has the shape {:?}; config.json asks for {shape:?}", info.shape);
        let convert: fn(&[u8], &mut Vec<f32>) = match info.dtype {
            Dtype::F32 => |bytes, out| {
                out.extend(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])));
            },
            Dtype::F16 => |bytes, out| out.extend(halves(bytes).map(|bits| f16::from_bits(bits).to_f32())),
            Dtype::BF16 => |bytes, out| out.extend(halves(bytes).map(|bits| bf16::from_bits(bits).to_f32())),
            other => bail!("it is stored as {other:?}; save the checkpoint as f32, f16 or bf16"),
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
            convert(&bytes, &mut values);
            left -= bytes.len();
        }
        ensure!(values.iter().all(|v| v.is_finite()), "it holds a value that is not finite");
        Ok(values)
    }
}

/// Where the data begin, and the header, whose offsets lie inside the file.
fn header(file: &mut File) -> Result<(u64, Metadata)> {
    let file_len = file.metadata()?.len();
    let mut length = [0; LENGTH_BYTES as usize];
    file.read_exact(&mut length).context("it has no header")?;
    let length = u64::from_le_bytes(length);
    ensure!(length <= MAX_HEADER.min(file_len), "its header would be {length} bytes long");
    let mut text = Vec::new();
    file.take(length).read_to_end(&mut text)?;
    let metadata: Metadata = serde_json::from_slice(&text).context("its header")?;
    let data = LENGTH_BYTES + length;
    let expected = data.saturating_add(metadata.data_len() as u64);
    ensure!(file_len == expected, "it is {file_len} bytes long, its header says {expected}");
    Ok((data, metadata))
}

fn halves(bytes: &[u8]) -> impl Iterator<Item = u16> + '_ {
    bytes.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]]))
}

/// The name that transformers' `BertForQuestionAnswering` gives the parameter.
fn canonical_name(name: &str) -> String {
    let name = match name.strip_suffix(".gamma") {
        Some(stem) => format!("{stem}.weight"),
        None => match name.strip_suffix(".beta") {
            Some(stem) => format!("{stem}.bias"),
            None => name.to_owned(),
        },
    };
    if name.starts_with("embeddings.") || name.starts_with("encoder.") {
        format!("bert.{name}")
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use super::canonical_name;

    #[test]
    fn names_of_other_writers_are_understood() {
        for (stored, canonical) in [
            ("encoder.layer.0.output.LayerNorm.gamma", "bert.encoder.layer.0.output.LayerNorm.weight"),
            ("bert.embeddings.LayerNorm.beta", "bert.embeddings.LayerNorm.bias"),
            ("embeddings.word_embeddings.weight", "bert.embeddings.word_embeddings.weight"),
            ("qa_outputs.bias", "qa_outputs.bias"),
            ("cls.predictions.bias", "cls.predictions.bias"),
        ] {
            assert_eq!(canonical_name(stored), canonical);
        }
    }
}
