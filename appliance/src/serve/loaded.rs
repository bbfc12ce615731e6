//! The model at work: read, checked, with its sessions.

use std::path::PathBuf;
use std::thread;
use std::time::SystemTime;

use anyhow::{Result, anyhow, ensure};
use blockspan_engine::{Kernels, MAX_THREADS};
use blockspan_reader::{Job, Mode, Reader, SharedModel, cores};

use crate::answering::check_numbers;
use crate::card;
use crate::cli::{Serve, ServeMode};
use crate::model_source::ModelSource;
use crate::passage::is_stdin;
use crate::runtime::{kernels, max_seq_len, remedy};
use crate::search::Corpus;

/// How a model is loaded, every time.
pub struct Loading {
    /// The file, if there is one.
    pub path: Option<PathBuf>,
    /// The index, if there is one.
    index: Option<PathBuf>,
    mode: ServeMode,
    threads: usize,
    kernels: &'static dyn Kernels,
    max_seq_len: Option<usize>,
    /// Places in the reader's queue: as many as there are in the server's.
    places: usize,
}

/// A model with its sessions. Whoever answers with it holds a reference, so that a swap takes nothing away from them.
pub struct Loaded {
    reader: Option<Reader>,
    /// What `POST /v1/search-answer` asks, if there is an index.
    pub corpus: Option<Corpus>,
    /// What messages call it.
    pub name: String,
    /// Bytes of the file.
    pub bytes: usize,
    /// When it was loaded.
    pub since: SystemTime,
    /// The lines of its card.
    pub card: Vec<(String, String)>,
    /// The SHA-256 of its bytes, once somebody has asked.
    #[cfg(feature = "page")]
    pub sha256: std::sync::OnceLock<String>,
}

impl Loading {
    /// As the arguments say, with a queue of so many places.
    pub fn new(args: &Serve) -> Result<Self> {
        let machine = &args.machine;
        let most = machine.mode.max_threads();
        if let Some(threads) = machine.threads {
            ensure!(
                threads <= most,
                "--threads {threads}: --mode {} takes at most {MAX_THREADS}; give fewer",
                machine.mode.name()
            );
        }
        let threads = machine.threads.unwrap_or_else(|| cores().min(most));
        Ok(Self {
            path: args.model.clone(),
            index: args.index.clone(),
            mode: machine.mode,
            threads,
            kernels: kernels(machine.isa.as_deref())?,
            max_seq_len: machine.max_seq_len,
            // Those that are being read have a place, too.
            places: args.limits.queue.saturating_add(threads),
        })
    }

    /// Questions that the server holds at most: those that wait and those that are being read.
    pub fn places(&self) -> usize {
        self.places
    }

    /// What the threads do.
    pub fn mode(&self) -> ServeMode {
        self.mode
    }

    /// The files that can be read again: the model's, the index.
    pub fn files(&self) -> Vec<PathBuf> {
        let model = self.path.iter().filter(|path| !is_stdin(path));
        model.chain(&self.index).cloned().collect()
    }

    /// Reads the model into memory and starts its sessions. It is not mapped: a copy over the file, which a command would
    /// only misread, would end a server by a signal. The index is: it may be large, and `blockspan index` renames.
    pub fn load(&self) -> Result<Loaded> {
        let corpus = self.index.as_deref().map(Corpus::open).transpose()?;
        let source = ModelSource::read(self.path.as_deref())?;
        let (name, bytes) = (source.to_string(), source.bytes().len());
        let model: SharedModel = source.share()?;
        let max_seq_len = max_seq_len(self.max_seq_len, model.model().config())?;
        let card = card::entries(model.model().metadata());
        let mode = match self.mode {
            ServeMode::Throughput => Mode::Throughput,
            ServeMode::Latency => Mode::Latency,
        };
        let builder = Reader::builder(model).mode(mode).threads(self.threads).kernels(self.kernels);
        let reader = builder.max_seq_len(max_seq_len).queue_capacity(self.places).build().map_err(remedy)?;
        // Checksums cannot tell whether the numbers make sense.
        let reply = reader
            .answer(Job::new("What is this?", "This is a test of the model."))
            .map_err(|error| anyhow!("{name}: {error}; pack it again"))?;
        check_numbers(&reply, f32::INFINITY).map_err(|overflow| anyhow!("{name}: {overflow}"))?;
        Ok(Loaded {
            reader: Some(reader),
            corpus,
            name,
            bytes,
            since: SystemTime::now(),
            card,
            #[cfg(feature = "page")]
            sha256: std::sync::OnceLock::new(),
        })
    }
}

impl Loaded {
    /// The name of its file; the folders are nobody's business.
    pub fn file_name(&self) -> &str {
        self.name.rsplit(['/', '\\']).next().unwrap_or_default()
    }

    /// The reader.
    ///
    /// # Panics
    /// Never: it is there until the drop.
    pub fn reader(&self) -> &Reader {
        self.reader.as_ref().expect("a reader until the drop")
    }
}

impl Drop for Loaded {
    /// The end of a reader waits for the windows at hand; the last reference may be that of a task that must not wait.
    fn drop(&mut self) {
        let reader = self.reader.take();
        let _ = thread::Builder::new().name("blockspan-close".to_owned()).spawn(move || drop(reader));
    }
}
