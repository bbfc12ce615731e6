//! A teacher's logits on disk, so that it reads every window once and not once in each epoch of each run.
//!
//! A directory holds `teacher-cache.json`, which tells whose logits they are, and `logits-00000.bin`, …: of 256 windows
//! each, in the order of the training data, for every window its start and then its end logits as little-endian f32; at
//! the end XXH64 of all before it. Each file appears when it is whole, so that a run that is killed leaves what it has.

use core::ops::Range;
use core::time::Duration;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use blockspan_engine::xxh64;
use serde::{Deserialize, Serialize};

use crate::checkpoint::Parameters;
use crate::features::{Feature, WindowOptions, by_length};
use crate::model::Output;
use crate::notes::note;
use crate::output::{check_writable, write_atomically};
use crate::train::interrupt::Interrupt;

/// Tells whose logits a directory holds.
const KEY: &str = "teacher-cache.json";
/// Windows of a file.
const WINDOWS: usize = 256;
/// Between two notes on how far the teacher is.
const PAUSE: Duration = Duration::from_secs(60);

/// Whose logits they are: everything that they follow from.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct Key {
    /// Of the files.
    format: u32,
    /// XXH64 of the teacher's configuration and weights, in hexadecimal.
    teacher: String,
    /// What it computes in.
    dtype: String,
    max_seq_len: usize,
    doc_stride: usize,
    /// How many.
    windows: usize,
    /// XXH64 of what the network reads of all windows, in hexadecimal.
    content: String,
}

impl Key {
    /// That of a teacher with this content over these windows.
    pub(super) fn new(teacher: u64, dtype: &str, options: WindowOptions, data: &[Feature]) -> Self {
        let read = |window: &Feature| {
            let ids = window.input_ids.iter().copied().chain([window.passage.start as u32]);
            xxh64(&ids.flat_map(|id| id.to_le_bytes()).collect::<Vec<u8>>())
        };
        let content: Vec<u8> = data.iter().flat_map(|window| read(window).to_le_bytes()).collect();
        Key {
            format: 1,
            teacher: format!("{teacher:016x}"),
            dtype: dtype.to_owned(),
            max_seq_len: options.max_seq_len,
            doc_stride: options.doc_stride,
            windows: data.len(),
            content: format!("{:016x}", xxh64(&content)),
        }
    }

    /// What differs first, in the words of the flags.
    fn difference(&self, other: &Self) -> Option<&'static str> {
        [
            (self.format != other.format, "a program of another version"),
            (self.teacher != other.teacher, "another --teacher"),
            (self.dtype != other.dtype, "another --dtype"),
            (self.max_seq_len != other.max_seq_len, "another --max-seq-len"),
            (self.doc_stride != other.doc_stride, "another --doc-stride"),
            (self != other, "other training data"),
        ]
        .into_iter()
        .find_map(|(differs, what)| differs.then_some(what))
    }
}

/// XXH64 of a network's configuration and weights.
///
/// # Errors
/// A configuration that cannot be read.
pub(super) fn content_of(directory: &Path, parameters: &Parameters) -> Result<u64> {
    let path = directory.join("config.json");
    let config = fs::read(&path).with_context(|| format!("{}: cannot read", path.display()))?;
    let mut hashes = xxh64(&config).to_le_bytes().to_vec();
    for (name, values) in parameters {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        hashes.extend(xxh64(name.as_bytes()).to_le_bytes());
        hashes.extend(xxh64(&bytes).to_le_bytes());
    }
    Ok(xxh64(&hashes))
}

/// The logits of windows, as far as the teacher has read them.
pub(in crate::train) struct Cache {
    directory: PathBuf,
    /// Where each window's logits begin in those of its file; its start and end logits have as many numbers each as it
    /// has tokens.
    places: Vec<Range<usize>>,
    /// The numbers of each file that is there.
    files: Vec<Option<Vec<f32>>>,
}

impl Cache {
    /// Opens the cache in `directory`, or begins it; reads all that is whole.
    ///
    /// # Errors
    /// Logits of another teacher or of other windows; a directory that cannot be read or written. The message names it.
    pub(super) fn open(directory: &Path, key: Key, data: &[Feature]) -> Result<Self> {
        check_writable(directory)?;
        let path = directory.join(KEY);
        match fs::read(&path) {
            Ok(text) => {
                let found: Key = serde_json::from_slice(&text).ok().with_context(|| {
                    format!(
                        "{}: tells of no teacher; give another --teacher-cache, or remove it",
                        path.display()
                    )
                })?;
                if let Some(what) = key.difference(&found) {
                    ensure!(
                        false,
                        "{}: holds the logits for {what}; give another --teacher-cache, or remove the directory",
                        directory.display()
                    );
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                write_atomically(&path, (serde_json::to_string_pretty(&key)? + "\n").as_bytes())?;
            }
            Err(error) => return Err(error).with_context(|| format!("{}: cannot read", path.display())),
        }
        let mut places = Vec::with_capacity(data.len());
        for file in data.chunks(WINDOWS) {
            let mut at = 0;
            for window in file {
                let end = at + 2 * window.input_ids.len();
                places.push(at..end);
                at = end;
            }
        }
        let mut cache = Cache { directory: directory.to_owned(), files: Vec::new(), places };
        cache.files =
            (0..data.len().div_ceil(WINDOWS)).map(|number| cache.read(number)).collect::<Result<_>>()?;
        Ok(cache)
    }

    fn path(&self, number: usize) -> PathBuf {
        self.directory.join(format!("logits-{number:05}.bin"))
    }

    /// The windows of a file.
    fn windows(&self, number: usize) -> Range<usize> {
        number * WINDOWS..self.places.len().min((number + 1) * WINDOWS)
    }

    /// The numbers of a file that is there and whole.
    fn read(&self, number: usize) -> Result<Option<Vec<f32>>> {
        let path = self.path(number);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("{}: cannot read", path.display())),
        };
        let len = self.windows(number).last().map_or(0, |last| self.places[last].end);
        let whole = bytes
            .split_last_chunk::<8>()
            .filter(|(values, sum)| values.len() == 4 * len && xxh64(values) == u64::from_le_bytes(**sum));
        let Some((values, _)) = whole else {
            note(&format!("{}: damaged; the teacher reads its windows anew", path.display()));
            return Ok(None);
        };
        let (values, _) = values.as_chunks::<4>();
        Ok(Some(values.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()))
    }

    /// Has the teacher read what is missing, so many windows at once, and writes it. A signal ends that early.
    ///
    /// # Errors
    /// A failure of the device, or to write.
    pub(super) fn fill(
        &mut self,
        interrupt: &Interrupt,
        data: &[Feature],
        batch_size: usize,
        read: impl Fn(&[usize]) -> Result<Output>,
    ) -> Result<()> {
        let missing: Vec<usize> =
            (0..self.files.len()).filter(|&number| self.files[number].is_none()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let directory = self.directory.display().to_string();
        let total: usize = missing.iter().map(|&number| self.windows(number).len()).sum();
        note(&format!("{directory}: the teacher reads {total} of {} windows", self.places.len()));
        let (begin, mut told, mut done, mut tokens) = (Instant::now(), Instant::now(), 0, 0);
        for number in missing {
            let windows = self.windows(number);
            let mut values = vec![0.0; windows.clone().last().map_or(0, |last| self.places[last].end)];
            for batch in by_length(&data[windows.clone()], batch_size.max(1)) {
                if interrupt.signal().is_some() {
                    note(&format!("{directory}: stopped with {done} of {total} windows; they stay"));
                    return Ok(());
                }
                let batch: Vec<usize> = batch.into_iter().map(|index| windows.start + index).collect();
                let output = read(&batch)?;
                let starts = output.start_logits.to_vec2::<f32>()?;
                let ends = output.end_logits.to_vec2::<f32>()?;
                for ((&window, start), end) in batch.iter().zip(&starts).zip(&ends) {
                    let place = &mut values[self.places[window].clone()];
                    let (first, last) = place.split_at_mut(place.len() / 2);
                    first.copy_from_slice(&start[..first.len()]);
                    last.copy_from_slice(&end[..last.len()]);
                }
            }
            let mut bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            bytes.extend(xxh64(&bytes).to_le_bytes());
            write_atomically(&self.path(number), &bytes)?;
            done += windows.len();
            tokens += values.len() / 2;
            self.files[number] = Some(values);
            if told.elapsed() >= PAUSE {
                told = Instant::now();
                note(&format!("{directory}: {done} of {total} windows"));
            }
        }
        let speed = tokens as f64 / begin.elapsed().as_secs_f64().max(1e-9);
        note(&format!("{directory}: whole; {tokens} tokens at {speed:.0} tokens/s"));
        Ok(())
    }

    /// The start and end logits of a window, if the teacher has read it.
    pub(super) fn logits(&self, window: usize) -> Option<(&[f32], &[f32])> {
        let values = self.files.get(window / WINDOWS)?.as_ref()?.get(self.places.get(window)?.clone())?;
        values.split_at_checked(values.len() / 2)
    }
}
