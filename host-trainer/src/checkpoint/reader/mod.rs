//! Tensors of a checkpoint, read one by one, in any of the usual files, names and number formats.

mod names;
mod pickle;
mod safetensors;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use self::pickle::Pickle;
use self::safetensors::Safetensors;

/// Where a directory may hold its weights; the first that is there is read.
const WEIGHT_FILES: [&str; 4] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
];

/// The open weights of a model directory: `model.safetensors`, `pytorch_model.bin`, or the index of a checkpoint
/// that is split into several of either. Only names and shapes are held in memory.
///
/// Names may lack the `bert.` prefix and may use the old `gamma` and `beta`; the reader knows them as
/// transformers' `BertForQuestionAnswering` names them. Tensors that nobody asks for (poolers, other heads,
/// int64 positions) are left alone.
pub struct Reader {
    path: PathBuf,
    files: Vec<Weights>,
    tensors: BTreeMap<String, Place>,
}

/// One file of weights.
enum Weights {
    Safetensors(Safetensors),
    Pickle(Pickle),
}

/// The file that holds a tensor, and its name there.
struct Place {
    file: usize,
    name: String,
}

/// `*.index.json`: the file of each tensor.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// The file that a directory's weights are read through, where `exists` tells which files are there.
pub fn weight_file(exists: impl Fn(&str) -> bool) -> Option<&'static str> {
    WEIGHT_FILES.into_iter().find(|name| exists(name))
}

/// The files beside `path` that it is the index of; none for a whole checkpoint.
///
/// # Errors
/// An index that cannot be read, or that names what is no file beside it; the message names it.
pub fn parts(path: &Path) -> Result<BTreeSet<String>> {
    if path.extension().is_none_or(|extension| extension != "json") {
        return Ok(BTreeSet::new());
    }
    Ok(read_index(path)?.weight_map.into_values().collect())
}

fn read_index(path: &Path) -> Result<Index> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{}: cannot read", path.display()))?;
    let index: Index = serde_json::from_str(&text).with_context(|| {
        format!("{}: not an index of tensors; fetch the checkpoint again", path.display())
    })?;
    for file in index.weight_map.values() {
        ensure!(
            Path::new(file).file_name().is_some_and(|name| name == file.as_str()),
            "{}: it names {file:?}, which is no file beside it; fetch the checkpoint again",
            path.display()
        );
    }
    Ok(index)
}

impl Reader {
    /// Opens the weights in `directory`.
    ///
    /// # Errors
    /// A file that cannot be read, is not what its name says or is cut short; an index that names files which
    /// are not beside it or lack a tensor. The message names the file.
    pub fn open(directory: &Path) -> Result<Self> {
        let Some(name) = weight_file(|name| directory.join(name).exists()) else {
            bail!(
                "{}: cannot read; the directory must hold model.safetensors or pytorch_model.bin, or the \
                 index.json of a split one",
                directory.join(WEIGHT_FILES[0]).display()
            )
        };
        let mut reader = Reader { path: directory.join(name), files: Vec::new(), tensors: BTreeMap::new() };
        if reader.path.extension().is_some_and(|extension| extension == "json") {
            reader.add_split(directory)?;
        } else {
            reader.add(reader.path.clone(), |_| true)?;
        }
        Ok(reader)
    }

    /// The file, or the index of several.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the checkpoint holds a tensor.
    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// The values of a tensor in f32, row-major.
    ///
    /// # Errors
    /// A tensor that is missing, of another shape than `shape`, of a number format other than f32, f16 and bf16,
    /// or not finite. The message names file and tensor.
    pub fn read(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let place = self.tensors.get(name).with_context(|| {
            format!(
                "{}: {name} is missing; give a BERT checkpoint that fits its config.json",
                self.path.display()
            )
        })?;
        let file = &self.files[place.file];
        let values = file.values(&place.name, shape).and_then(|values| {
            ensure!(
                values.iter().all(|v| v.is_finite()),
                "it holds a value that is not finite; take an earlier checkpoint"
            );
            Ok(values)
        });
        values.with_context(|| format!("{}: {name}", file.path().display()))
    }

    /// Adds the tensors of a file that `wanted` picks.
    fn add(&mut self, path: PathBuf, wanted: impl Fn(&str) -> bool) -> Result<()> {
        let file = Weights::open(path)?;
        for name in file.names().into_iter().filter(|name| wanted(name)) {
            let place = Place { file: self.files.len(), name: name.to_owned() };
            self.tensors.insert(names::canonical(name), place);
        }
        self.files.push(file);
        Ok(())
    }

    /// Adds the files that the index `self.path` names.
    fn add_split(&mut self, directory: &Path) -> Result<()> {
        let index = self.path.clone();
        let Index { weight_map } = read_index(&index)?;
        let mut by_file: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (tensor, file) in &weight_map {
            by_file.entry(file).or_default().push(tensor);
        }
        for (file, tensors) in by_file {
            let path = directory.join(file);
            self.add(path.clone(), |name| weight_map.get(name).is_some_and(|place| place == file))?;
            let lacking = tensors.into_iter().find(|tensor| !self.contains(&names::canonical(tensor)));
            if let Some(tensor) = lacking {
                bail!(
                    "{}: {tensor} is missing, but {} says that it is there; fetch the checkpoint again",
                    path.display(),
                    index.display()
                );
            }
        }
        Ok(())
    }
}

impl Weights {
    fn open(path: PathBuf) -> Result<Self> {
        Ok(if path.extension().is_some_and(|extension| extension == "safetensors") {
            Weights::Safetensors(Safetensors::open(path)?)
        } else {
            Weights::Pickle(Pickle::open(path)?)
        })
    }

    fn path(&self) -> &Path {
        match self {
            Weights::Safetensors(file) => file.path(),
            Weights::Pickle(file) => file.path(),
        }
    }

    fn names(&self) -> Vec<&str> {
        match self {
            Weights::Safetensors(file) => file.names().collect(),
            Weights::Pickle(file) => file.names().collect(),
        }
    }

    fn values(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        match self {
            Weights::Safetensors(file) => file.values(name, shape),
            Weights::Pickle(file) => file.values(name, shape),
        }
    }
}

/// Compares a tensor's shape with the one that the configuration asks for.
fn check_shape(stored: &[usize], asked: &[usize]) -> Result<()> {
    ensure!(stored == asked, "it has the shape {stored:?}; config.json asks for {asked:?}");
    Ok(())
}
