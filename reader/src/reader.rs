//! Sessions on threads of their own, behind one queue.

use core::fmt;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use blockspan_engine::{Isa, Model};

use crate::error::{Error, QueueFull};
use crate::job::Job;
use crate::model::SharedModel;
use crate::queue::{Entry, Queue};
use crate::reply::Reply;
use crate::slot::Slot;
use crate::ticket::Ticket;

/// Answers questions with one model, on threads of its own. Made by [`Reader::new`] or [`Reader::builder`]; shared by
/// reference, or in an [`Arc`], by as many threads and tasks as ask.
///
/// Jobs are begun in the order in which they come. A long passage is read by all sessions that have nothing else to do, one
/// window each. No result depends on which session reads what, nor on how many there are.
///
/// Dropping the reader ends it: jobs that wait get [`Error::Closed`], and so do those at hand, at their next window. The
/// drop waits for that.
pub struct Reader {
    pub(crate) model: SharedModel,
    pub(crate) queue: Arc<Queue>,
    pub(crate) workers: Vec<JoinHandle<()>>,
    pub(crate) max_seq_len: usize,
    pub(crate) isa: Isa,
    pub(crate) threads_per_session: usize,
}

impl Reader {
    /// The model.
    pub fn model(&self) -> &Model<'_> {
        self.model.model()
    }

    /// The model, for whoever wants a reference that outlives the reader.
    pub fn shared_model(&self) -> &SharedModel {
        &self.model
    }

    /// How many jobs, or windows of one, are read at the same time.
    pub fn sessions(&self) -> usize {
        self.workers.len()
    }

    /// Threads that share the work on one window.
    pub fn threads_per_session(&self) -> usize {
        self.threads_per_session
    }

    /// The instruction set of the kernels.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Tokens of the longest window.
    pub fn max_seq_len(&self) -> usize {
        self.max_seq_len
    }

    /// Jobs that wait for a session at the moment.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// How many jobs may wait.
    pub fn queue_capacity(&self) -> usize {
        self.queue.capacity()
    }

    /// Answers one question; waits for the queue's turn and for the reply.
    ///
    /// # Errors
    /// Why there is no reply.
    pub fn answer(&self, job: Job) -> Result<Reply, Error> {
        self.submit(job).wait()
    }

    /// Hands a job in, and waits while the queue is full.
    pub fn submit(&self, job: Job) -> Ticket {
        let (entry, ticket) = self.entry(job);
        if let Err(entry) = self.queue.push(entry) {
            entry.slot.fill(Err(Error::Closed));
        }
        ticket
    }

    /// Hands a job in if the queue has room. It never waits: neither for room, nor for a session.
    ///
    /// ```
    /// # use blockspan_reader::{Job, Reader, SharedModel};
    /// # let reader = Reader::new(SharedModel::read_file("../fixtures/default.bspan")?)?;
    /// # let _ = async {
    /// let ticket = reader.try_submit(Job::new("How high is it?", "It is 31 metres high."))?;
    /// let reply = ticket.await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # };
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`QueueFull`] gives the job back.
    pub fn try_submit(&self, job: Job) -> Result<Ticket, QueueFull> {
        let (entry, ticket) = self.entry(job);
        match self.queue.try_push(entry) {
            Ok(()) => Ok(ticket),
            Err(entry) => Err(QueueFull { job: Box::new(entry.job), capacity: self.queue.capacity() }),
        }
    }

    fn entry(&self, job: Job) -> (Entry, Ticket) {
        let slot = Arc::<Slot>::default();
        (Entry { job, slot: Arc::clone(&slot) }, Ticket { slot, queue: Arc::clone(&self.queue) })
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("sessions", &self.sessions())
            .field("threads_per_session", &self.threads_per_session)
            .field("max_seq_len", &self.max_seq_len)
            .field("isa", &self.isa)
            .field("waiting", &self.waiting())
            .finish_non_exhaustive()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        for entry in self.queue.close() {
            entry.slot.fill(Err(Error::Closed));
        }
        let own = thread::current().id();
        for worker in self.workers.drain(..) {
            // A waker that drops the last reference runs on a worker, which cannot wait for itself.
            if worker.thread().id() != own {
                // Workers do not panic: they catch those of their tasks.
                let _ = worker.join();
            }
        }
    }
}
