//! How a reader is set up.

use std::io;
use std::sync::Arc;
use std::thread;

use blockspan_engine::{Kernels, MAX_THREADS, Parallel, Serial, ThreadPool};

use crate::error::BuildError;
use crate::model::SharedModel;
use crate::queue::Queue;
use crate::reader::Reader;
use crate::worker::Worker;

/// What a reader's threads share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Each thread has a session of its own: the most questions per second.
    #[default]
    Throughput,
    /// All threads work on one window at a time: the shortest time for one question, while few ask. At most
    /// [`MAX_THREADS`].
    Latency,
}

/// Sets up a [`Reader`].
#[derive(Clone)]
#[must_use]
pub struct Builder {
    model: SharedModel,
    mode: Mode,
    threads: Option<usize>,
    max_seq_len: usize,
    kernels: &'static dyn Kernels,
    queue_capacity: usize,
}

/// The processor cores that this process may use: those of its affinity, and not more than its control group's share of
/// processor time (rounded down, at least 1), as a container's limit sets it.
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

impl Reader {
    /// A reader with a session on each of the [`cores`].
    ///
    /// ```
    /// use blockspan_reader::{Job, Reader, SharedModel};
    ///
    /// let reader = Reader::new(SharedModel::read_file("../fixtures/default.bspan")?)?;
    /// let reply = reader.answer(Job::new("How high is it?", "It is 31 metres high."))?;
    /// assert_eq!(reply.answers[0].text, "31 metres high");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Builder::build`].
    pub fn new(model: SharedModel) -> Result<Self, BuildError> {
        Self::builder(model).build()
    }

    /// A reader with other threads, windows, kernels or another queue.
    pub fn builder(model: SharedModel) -> Builder {
        let max_seq_len = model.model().config().max_seq_len;
        let kernels = blockspan_engine::best();
        Builder { model, mode: Mode::Throughput, threads: None, max_seq_len, kernels, queue_capacity: 512 }
    }
}

impl Builder {
    /// What the threads share; by default nothing ([`Mode::Throughput`]).
    pub fn mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    /// How many threads work; by default one for each of the [`cores`].
    pub fn threads(self, threads: usize) -> Self {
        Self { threads: Some(threads), ..self }
    }

    /// Tokens of the longest window, 8 up to the model's positions; by default the length that the model was packed for.
    pub fn max_seq_len(self, max_seq_len: usize) -> Self {
        Self { max_seq_len, ..self }
    }

    /// The kernels; by default the fastest of this machine.
    pub fn kernels(self, kernels: &'static dyn Kernels) -> Self {
        Self { kernels, ..self }
    }

    /// How many jobs may wait for a session, at least 1; by default 512.
    pub fn queue_capacity(self, queue_capacity: usize) -> Self {
        Self { queue_capacity, ..self }
    }

    /// Takes the memory and starts the threads.
    ///
    /// # Errors
    /// [`BuildError::Zero`], [`BuildError::Engine`] for windows or threads that do not work, [`BuildError::Memory`],
    /// [`BuildError::Threads`].
    pub fn build(self) -> Result<Reader, BuildError> {
        let threads = match (self.threads, self.mode) {
            (Some(threads), _) => threads,
            (None, Mode::Throughput) => cores(),
            (None, Mode::Latency) => cores().min(MAX_THREADS),
        };
        for (name, value) in [("threads", threads), ("queue_capacity", self.queue_capacity)] {
            if value == 0 {
                return Err(BuildError::Zero { name });
            }
        }
        let (sessions, threads_per_session) = match self.mode {
            Mode::Throughput => (threads, 1),
            Mode::Latency => (1, threads),
        };
        let config = self.model.model().config();
        if !(8..=config.max_positions).contains(&self.max_seq_len) {
            let (asked, most) = (self.max_seq_len, config.max_positions);
            return Err(blockspan_engine::Error::MaxSeqLen { asked, most }.into());
        }
        if threads_per_session > MAX_THREADS {
            let (asked, most) = (threads_per_session, MAX_THREADS);
            return Err(blockspan_engine::Error::Threads { asked, most }.into());
        }
        let parallel = || -> io::Result<Box<dyn Parallel + Send>> {
            match threads_per_session {
                1 => Ok(Box::new(Serial)),
                threads => Ok(Box::new(ThreadPool::new(threads)?)),
            }
        };
        self.start((0..sessions).map(|_| parallel()), threads)
    }

    /// A reader with a session on each of these.
    pub(crate) fn start(
        self,
        sessions: impl Iterator<Item = io::Result<Box<dyn Parallel + Send>>>,
        threads: usize,
    ) -> Result<Reader, BuildError> {
        let no_threads = |error| BuildError::Threads { threads, error };
        // What is dropped on an error ends the workers that there are.
        let mut reader = Reader {
            queue: Arc::new(Queue::new(self.queue_capacity)),
            workers: Vec::new(),
            max_seq_len: self.max_seq_len,
            isa: self.kernels.isa(),
            threads_per_session: 1,
            model: self.model,
        };
        for (index, parallel) in sessions.enumerate() {
            let parallel = parallel.map_err(no_threads)?;
            reader.threads_per_session = parallel.threads();
            let bytes = reader.model().workspace_len(self.max_seq_len, parallel.threads());
            let mut worker = Worker {
                model: reader.model.clone(),
                max_seq_len: self.max_seq_len,
                kernels: self.kernels,
                parallel,
                workspace: workspace(bytes)?,
                queue: Arc::clone(&reader.queue),
            };
            worker.session()?;
            let thread = thread::Builder::new().name(format!("blockspan-reader-{index}"));
            reader.workers.push(thread.spawn(move || worker.run()).map_err(no_threads)?);
        }
        Ok(reader)
    }
}

fn workspace(bytes: usize) -> Result<Vec<u8>, BuildError> {
    let mut workspace = Vec::new();
    workspace.try_reserve_exact(bytes).map_err(|_| BuildError::Memory { bytes })?;
    workspace.resize(bytes, 0);
    Ok(workspace)
}
