//! Tensors of one `pytorch_model.bin`: a zip archive with a pickle that describes them and a file of bytes for each
//! storage, as `torch.save` has written since PyTorch 1.6. candle turns the pickle into a tree of objects and runs no
//! code from it; here the tree is read as a state dict.

mod object;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use candle_core::pickle::{Object, Stack};
use zip::ZipArchive;

use self::object::Stored;
use super::numbers;
use crate::files;

/// Where the pickle is in the archive, after a folder of any name.
const PICKLE: &str = "data.pkl";

/// How the archive begins.
const ZIP: &[u8] = b"PK";

/// How a pickle begins that is not in an archive: its protocol.
const BARE_PICKLE: &[u8] = b"\x80";

/// An open archive. Only the places and shapes of the tensors are held in memory.
pub(super) struct Pickle {
    path: PathBuf,
    /// By name.
    tensors: BTreeMap<String, Described>,
}

/// A tensor, or what kind of tensor it is where it has no plain storage.
type Described = core::result::Result<Stored, String>;

type Archive = ZipArchive<BufReader<File>>;

impl Pickle {
    /// Reads the pickle.
    pub(super) fn open(path: PathBuf) -> Result<Self> {
        let begin = files::first_bytes(&path)?;
        files::refuse_lfs_pointer(&path, &begin)?;
        let remedy = if begin.starts_with(BARE_PICKLE) {
            "written by torch.save before PyTorch 1.6; load it in a newer one and save it again, best with \
             save_pretrained(safe_serialization=True)"
        } else if begin.starts_with(ZIP) {
            "or cut short or damaged; fetch it again, or save the model anew with \
             save_pretrained(safe_serialization=True)"
        } else {
            "or cut short; fetch it again, or save the model anew with save_pretrained(safe_serialization=True)"
        };
        let state_dict = archive(&path)
            .and_then(|mut archive| state_dict(&mut archive))
            .with_context(|| format!("{}: not a zip archive of torch.save, {remedy}", path.display()))?;
        let tensors: BTreeMap<_, _> = state_dict.into_iter().collect();
        ensure!(
            !tensors.is_empty(),
            "{}: it holds no tensors by name; save model.state_dict() alone",
            path.display()
        );
        Ok(Pickle { path, tensors })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The names of the tensors as they are stored.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The values of a tensor in f32, row-major, whatever its strides.
    pub(super) fn values(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let stored = match self.tensors.get(name).context("it is missing")? {
            Ok(stored) => stored,
            Err(kind) => return numbers::refuse(kind),
        };
        super::check_shape(&stored.shape, shape)?;
        let number = match &stored.number {
            Ok(number) => *number,
            Err(format) => return numbers::refuse(format),
        };
        let Some(span) = stored.span() else {
            bail!(
                "its strides reach beyond its storage of {} numbers; save the model again",
                stored.storage_len
            )
        };
        let (first, bytes) = (span.start * number.size(), span.len() * number.size());
        let bytes = archive(&self.path)
            .and_then(|mut archive| part(&mut archive, &stored.entry, first as u64, bytes as u64))
            .context("its numbers are damaged; fetch the file again")?;
        let mut values = Vec::with_capacity(span.len());
        number.read(&bytes, &mut values);
        Ok(stored.row_major(values))
    }
}

fn archive(path: &Path) -> Result<Archive> {
    Ok(ZipArchive::new(BufReader::new(File::open(path)?))?)
}

/// The tensors that the pickle in the archive describes, by name.
fn state_dict(archive: &mut Archive) -> Result<Vec<(String, Described)>> {
    let names: Vec<String> =
        archive.file_names().map(|name| name.map(|name| name.into_owned())).collect::<Result<_, _>>()?;
    let is_pickle =
        |name: &&String| name.strip_suffix(PICKLE).is_some_and(|f| f.is_empty() || f.ends_with('/'));
    let pickle = names.iter().find(is_pickle).context("it has no data.pkl")?;
    let folder = pickle.trim_end_matches(PICKLE);
    let byteorder = format!("{folder}byteorder");
    if names.contains(&byteorder) {
        let order = whole(archive, &byteorder)?;
        ensure!(order == b"little", "its numbers are big-endian; save it on a little-endian machine");
    }
    let text = whole(archive, pickle)?;
    // candle trusts the pickle in some places; one that was made to mislead it makes it panic.
    let tree = catch_unwind(|| -> candle_core::Result<Object> {
        let mut stack = Stack::empty();
        stack.read_loop(&mut text.as_slice())?;
        stack.finalize()
    });
    let Ok(tree) = tree else { bail!("its pickle describes no tensors") };
    match tree.context("its pickle cannot be read")? {
        Object::Dict(entries) => Ok(entries
            .into_iter()
            .filter_map(|(name, value)| Some((name.unicode().ok()?, object::tensor(value, folder)?)))
            .collect()),
        _ => Ok(Vec::new()),
    }
}

/// The bytes of an entry.
fn whole(archive: &mut Archive, entry: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    archive.by_name(entry)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// `len` bytes of an entry from `first`. The entry is read to its end, so that its checksum is compared.
fn part(archive: &mut Archive, entry: &str, first: u64, len: u64) -> Result<Vec<u8>> {
    let mut reader = archive.by_name(entry)?;
    let mut bytes = Vec::new();
    std::io::copy(&mut reader.by_ref().take(first), &mut std::io::sink())?;
    reader.by_ref().take(len).read_to_end(&mut bytes)?;
    std::io::copy(&mut reader, &mut std::io::sink())?;
    ensure!(bytes.len() as u64 == len, "{entry} ends early");
    Ok(bytes)
}
