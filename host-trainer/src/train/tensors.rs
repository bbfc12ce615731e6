//! What a checkpoint holds beside the weights: the optimizer's moments and the masks.

use core::cell::RefCell;
use std::borrow::Cow;
use std::fs::File;
use std::path::Path;

use anyhow::{Context, Error, Result, anyhow, ensure};
use candle_core::Tensor;
use safetensors::tensor::View;
use safetensors::{Dtype, SafeTensors};

use crate::errors::one_line;
use crate::prune::{Masks, Statistics};
use crate::train::optimizer::AdamW;

/// The file in a checkpoint.
const FILE: &str = "training.safetensors";

/// One value of a mask, as it is stored.
const KEPT: u8 = 1;

/// A tensor that becomes bytes only while it is written.
enum Stored<'a> {
    Moment(&'a Tensor),
    Mask(&'a [f32]),
    Squares(&'a [f32]),
}

struct Named<'a> {
    shape: Vec<usize>,
    data: Stored<'a>,
    /// Why its values could not be read. The writer asks for bytes and takes no error.
    failed: RefCell<Option<candle_core::Error>>,
}

impl<'a> Named<'a> {
    fn new(shape: Vec<usize>, data: Stored<'a>) -> Self {
        Named { shape, data, failed: RefCell::new(None) }
    }
}

impl View for &Named<'_> {
    fn dtype(&self) -> Dtype {
        match self.data {
            Stored::Moment(_) | Stored::Squares(_) => Dtype::F32,
            Stored::Mask(_) => Dtype::U8,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Owned(match self.data {
            Stored::Moment(tensor) => {
                match tensor.flatten_all().and_then(|flat| flat.to_vec1::<f32>()) {
                    Ok(values) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
                    // As many bytes as the header says, so that the file keeps its form until `write_all` refuses it.
                    Err(error) => {
                        self.failed.replace(Some(error));
                        vec![0; self.data_len()]
                    }
                }
            }
            Stored::Squares(values) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Stored::Mask(mask) => mask.iter().map(|&m| if m == 0.0 { 0 } else { KEPT }).collect(),
        })
    }

    fn data_len(&self) -> usize {
        match self.data {
            Stored::Moment(tensor) => 4 * tensor.elem_count(),
            Stored::Squares(values) => 4 * values.len(),
            Stored::Mask(mask) => mask.len(),
        }
    }
}

/// Writes the file into the directory of a checkpoint and waits until it is on the disk.
///
/// # Errors
/// A failure to write; the message names the file.
pub fn write(
    checkpoint: &Path,
    optimizer: &AdamW,
    masks: &Masks,
    statistics: Option<&Statistics>,
) -> Result<()> {
    let path = checkpoint.join(FILE);
    let mut all = Vec::new();
    for (name, [first, second]) in optimizer.moments() {
        for (kind, tensor) in [("first", first), ("second", second)] {
            let named = Named::new(tensor.dims().to_vec(), Stored::Moment(tensor));
            all.push((format!("{kind}.{name}"), named));
        }
    }
    for (name, mask) in masks {
        all.push((format!("mask.{name}"), Named::new(vec![mask.len()], Stored::Mask(mask))));
    }
    for (name, squares) in statistics.iter().flat_map(|statistics| &statistics.squares) {
        all.push((format!("squares.{name}"), Named::new(vec![squares.len()], Stored::Squares(squares))));
    }
    write_all(&path, &all)
}

/// Writes the tensors and waits until they are on the disk.
fn write_all(path: &Path, all: &[(String, Named<'_>)]) -> Result<()> {
    let data_len: usize = all.iter().map(|(_, named)| named.data_len()).sum();
    let views = all.iter().map(|(name, named)| (name.as_str(), named));
    let write = || -> Result<()> {
        safetensors::serialize_to_file(views, None, path)?;
        for (name, named) in all {
            if let Some(error) = named.failed.take() {
                return Err(Error::new(error).context(format!("cannot read {name} from the device")));
            }
        }
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        ensure!(len > data_len as u64, "it came out {len} bytes long instead of more than {data_len}");
        Ok(file.sync_all()?)
    };
    write().with_context(|| format!("{}: cannot write", path.display()))
}

/// Reads the file in the directory of a checkpoint: gives the moments to the optimizer, which took `steps` steps, and
/// returns the masks and what the pruner saw.
///
/// # Errors
/// A file that cannot be read, is cut short, or belongs to another network; the message names it.
pub fn read(checkpoint: &Path, optimizer: &mut AdamW, steps: usize) -> Result<(Masks, Statistics)> {
    let path = checkpoint.join(FILE);
    let mut read = || -> Result<(Masks, Statistics)> {
        let bytes = std::fs::read(&path)?;
        let file = SafeTensors::deserialize(&bytes)?;
        optimizer.restore(steps, |kind, name| {
            let view = file.tensor(&format!("{kind}.{name}"))?;
            ensure!(view.dtype() == Dtype::F32, "{kind}.{name} is stored as {:?}", view.dtype());
            Ok((floats(view.data()), view.shape().to_vec()))
        })?;
        let (mut masks, mut statistics) = (Masks::new(), Statistics::default());
        for (name, view) in file.tensors() {
            if let Some(name) = name.strip_prefix("mask.") {
                ensure!(view.dtype() == Dtype::U8, "mask.{name} is stored as {:?}", view.dtype());
                let mask = view.data().iter().map(|&m| if m == KEPT { 1.0 } else { 0.0 }).collect();
                masks.insert(name.to_owned(), mask);
            } else if let Some(name) = name.strip_prefix("squares.") {
                ensure!(view.dtype() == Dtype::F32, "squares.{name} is stored as {:?}", view.dtype());
                statistics.squares.insert(name.to_owned(), floats(view.data()));
            }
        }
        Ok((masks, statistics))
    };
    read().map_err(|error| {
        anyhow!(
            "{}: {}; remove this checkpoint to go on from the one before",
            path.display(),
            one_line(&error)
        )
    })
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect()
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::{Named, Stored, write_all};
    use crate::errors::one_line;

    #[test]
    fn a_tensor_that_could_not_be_read_was_written_as_nothing_and_shifted_the_others() -> anyhow::Result<()> {
        let root = tempfile::tempdir()?;
        let path = root.path().join("training.safetensors");
        let good = Tensor::new(&[1f32, 2.0], &Device::Cpu)?;
        // What fails to be read as f32, as a device's memory may.
        let bad = Tensor::new(&[1f64, 2.0], &Device::Cpu)?;
        let moment = |tensor| Named::new(vec![2], Stored::Moment(tensor));
        write_all(&path, &[("first.a".into(), moment(&good)), ("first.b".into(), moment(&good))])?;
        let failed = write_all(&path, &[("first.a".into(), moment(&bad)), ("first.b".into(), moment(&good))]);
        let message = one_line(&failed.expect_err("a failure"));
        assert!(message.contains("training.safetensors: cannot write"), "{message}");
        assert!(message.contains("cannot read first.a from the device"), "{message}");
        Ok(())
    }
}
