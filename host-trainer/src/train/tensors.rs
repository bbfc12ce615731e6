//! What a checkpoint holds beside the weights: the optimizer's moments and the masks.

use std::borrow::Cow;
use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use candle_core::Tensor;
use safetensors::tensor::View;
use safetensors::{Dtype, SafeTensors};

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
                let values = tensor.flatten_all().and_then(|flat| flat.to_vec1::<f32>());
                // A device that fails here leaves too few bytes, which the length check below finds.
                values.unwrap_or_default().iter().flat_map(|v| v.to_le_bytes()).collect()
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
            let named = Named { shape: tensor.dims().to_vec(), data: Stored::Moment(tensor) };
            all.push((format!("{kind}.{name}"), named));
        }
    }
    for (name, mask) in masks {
        all.push((format!("mask.{name}"), Named { shape: vec![mask.len()], data: Stored::Mask(mask) }));
    }
    for (name, squares) in statistics.iter().flat_map(|statistics| &statistics.squares) {
        let named = Named { shape: vec![squares.len()], data: Stored::Squares(squares) };
        all.push((format!("squares.{name}"), named));
    }
    let expected: usize = all.iter().map(|(_, named)| (&named).data_len()).sum();
    let views = all.iter().map(|(name, named)| (name.as_str(), named));
    let write = || -> Result<()> {
        safetensors::serialize_to_file(views, None, &path)?;
        let file = File::open(&path)?;
        let len = file.metadata()?.len();
        ensure!(len > expected as u64, "it came out {len} bytes long instead of more than {expected}");
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
        anyhow!("{}: {error:#}; remove this checkpoint to go on from the one before", path.display())
    })
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect()
}
