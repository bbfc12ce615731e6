//! Tensors of a checkpoint, read one by one, in any of the usual files, names and number formats.

mod names;
mod numbers;
mod pickle;
mod safetensors;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail, ensure};
use serde_json::Value;

use self::pickle::Pickle;
use self::safetensors::Safetensors;
use crate::config::HEAD_WEIGHT;
use crate::files::Object;
use crate::notes::note;

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
/// Names may lack the `bert.` prefix, may have the prefixes of wrappers (`module.`, `_orig_mod.`, `model.`; a note tells
/// of them) and may use the old `gamma` and `beta`; the reader knows them as transformers' `BertForQuestionAnswering`
/// names them. Tensors that nobody asks for (poolers, other heads, int64 positions) are left alone.
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
    /// Another tensor of the same name once prefixes are left out.
    double: Option<String>,
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
    Ok(read_index(path)?.into_values().collect())
}

/// The file of each tensor, by its stored name: `weight_map` of an `*.index.json`.
fn read_index(path: &Path) -> Result<BTreeMap<String, String>> {
    let index = Object::read(path.to_owned(), "an index of tensors")?;
    let Some(Value::Object(map)) = index.get("weight_map") else {
        bail!("{}: not an index of tensors: it has no weight_map; fetch the checkpoint again", path.display())
    };
    map.iter()
        .map(|(tensor, file)| {
            let name =
                file.as_str().filter(|file| Path::new(file).file_name().is_some_and(|name| name == *file));
            let name = name.ok_or_else(|| {
                anyhow!(
                    "{}: it names {file}, which is no file beside it; fetch the checkpoint again",
                    path.display()
                )
            })?;
            Ok((tensor.clone(), name.to_owned()))
        })
        .collect()
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
        reader.tell_prefixes();
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

    /// Refuses a checkpoint without a head.
    ///
    /// # Errors
    /// When there is none; the message says what there is instead.
    pub fn check_head(&self) -> Result<()> {
        ensure!(
            self.contains(HEAD_WEIGHT),
            "{}: the checkpoint has no {HEAD_WEIGHT}, so it cannot answer yet ({}); fine-tune it first",
            self.path.display(),
            self.beside_the_encoder()
        );
        Ok(())
    }

    /// What the checkpoint holds that is not the encoder, in words.
    pub(super) fn beside_the_encoder(&self) -> String {
        let mut others: Vec<&str> = self
            .tensors
            .iter()
            .filter(|(name, _)| !names::is_encoder(name))
            .map(|(_, place)| place.name.as_str())
            .collect();
        // A head of another name comes first.
        others.sort_by_key(|name| (!name.contains("qa_outputs"), !name.contains("classifier")));
        if others.is_empty() {
            "it holds an encoder alone".to_owned()
        } else {
            format!("it holds {}", few(&others))
        }
    }

    /// The values of a tensor in f32, row-major.
    ///
    /// # Errors
    /// A tensor that is missing or there twice, of another shape than `shape`, of a number format other than f32, f16,
    /// bf16 and f64, or not finite in f32. The message names file and tensor.
    pub fn read(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let Some(place) = self.tensors.get(name) else { return Err(self.missing(name)) };
        let file = &self.files[place.file];
        let read = || {
            if let Some(double) = &place.double {
                bail!("it is there twice, as {} and as {double}; remove the wrong one", place.name);
            }
            let values = file.values(&place.name, shape)?;
            ensure!(
                values.iter().all(|v| v.is_finite()),
                "it holds a value that is not finite (NaN, or beyond f32); take an earlier checkpoint"
            );
            Ok(values)
        };
        read().map_err(|error| error.context(format!("{}: {name}", file.path().display())))
    }

    /// The error for a tensor that is not there.
    fn missing(&self, name: &str) -> anyhow::Error {
        let has_encoder = self.tensors.keys().any(|name| names::is_encoder(name));
        let stored: Vec<&str> = self.tensors.values().map(|place| place.name.as_str()).collect();
        let instead = if has_encoder { String::new() } else { format!(" (it holds {})", few(&stored)) };
        anyhow!(
            "{}: {name} is missing{instead}; give a BERT checkpoint that fits its config.json",
            self.path.display()
        )
    }

    /// Adds the tensors of a file that `wanted` picks.
    fn add(&mut self, path: PathBuf, wanted: impl Fn(&str) -> bool) -> Result<()> {
        let file = Weights::open(path)?;
        for stored in file.names().into_iter().filter(|name| wanted(name)) {
            let name = names::understand(stored).canonical;
            match self.tensors.get_mut(&name) {
                Some(place) => place.double = Some(stored.to_owned()),
                None => {
                    let place = Place { file: self.files.len(), name: stored.to_owned(), double: None };
                    self.tensors.insert(name, place);
                }
            }
        }
        self.files.push(file);
        Ok(())
    }

    /// Notes the prefixes that were left out of names.
    fn tell_prefixes(&self) {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for (name, place) in &self.tensors {
            let wrapped = names::understand(&place.name).wrapped;
            if !wrapped.is_empty() && (names::is_encoder(name) || name.starts_with("qa_outputs.")) {
                *counts.entry(wrapped).or_default() += 1;
            }
        }
        for (prefix, count) in counts {
            note(&format!("{}: {count} tensors are read without the prefix {prefix}", self.path.display()));
        }
    }

    /// Adds the files that the index `self.path` names.
    fn add_split(&mut self, directory: &Path) -> Result<()> {
        let index = self.path.clone();
        let weight_map = read_index(&index)?;
        let mut by_file: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (tensor, file) in &weight_map {
            by_file.entry(file).or_default().push(tensor);
        }
        for (file, tensors) in by_file {
            let path = directory.join(file);
            self.add(path.clone(), |name| weight_map.get(name).is_some_and(|place| place == file))?;
            let lacking =
                tensors.into_iter().find(|tensor| !self.contains(&names::understand(tensor).canonical));
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

/// The first of some names, and how many more there are.
fn few(names: &[&str]) -> String {
    const SHOWN: usize = 3;
    let shown = names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more tensors"),
    }
}

/// Compares a tensor's shape with the one that the configuration asks for.
fn check_shape(stored: &[usize], asked: &[usize]) -> Result<()> {
    ensure!(stored == asked, "it has the shape {stored:?}; config.json asks for {asked:?}");
    Ok(())
}
