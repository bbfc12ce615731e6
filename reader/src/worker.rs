//! A thread with a session.

use core::any::Any;
use core::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::time::Instant;

use blockspan_engine::{Kernels, Parallel, Runtime, Session};

use crate::decode;
use crate::error::Error;
use crate::gather::{Logits, WindowTask};
use crate::model::SharedModel;
use crate::queue::{Entry, Queue, Task};
use crate::reading::Reading;

/// What a session needs; moved to the thread that runs it.
pub(crate) struct Worker {
    pub model: SharedModel,
    pub max_seq_len: usize,
    pub kernels: &'static dyn Kernels,
    pub parallel: Box<dyn Parallel + Send>,
    /// As long as the model, the windows and the threads want it.
    pub workspace: Vec<u8>,
    pub queue: Arc<Queue>,
}

impl Worker {
    /// A session in the worker's own memory.
    ///
    /// # Errors
    /// Those of [`Session::with`].
    pub fn session(&mut self) -> Result<Session<'_>, blockspan_engine::Error> {
        let runtime = Runtime { kernels: self.kernels, parallel: &*self.parallel };
        Session::with(self.model.model(), self.max_seq_len, &mut self.workspace, runtime)
    }

    /// Works until the queue is closed. A panic ends the task and the session, not the worker.
    pub fn run(mut self) {
        let queue = Arc::clone(&self.queue);
        let mut ids = vec![[0; 2]; self.max_seq_len];
        let mut offsets = vec![[0; 2]; self.max_seq_len];
        // The builder has made such a session before.
        while let Ok(mut session) = self.session() {
            loop {
                let whole = match queue.take() {
                    None => return,
                    Some(Task::Job(entry)) => {
                        let reading = Reading {
                            session: &mut session,
                            queue: &queue,
                            ids: &mut ids,
                            offsets: &mut offsets,
                        };
                        answer(reading, &entry)
                    }
                    Some(Task::Window(task)) => read(&mut session, &task),
                };
                if !whole {
                    break;
                }
            }
        }
    }
}

/// Answers a job; returns whether the session is whole.
fn answer(mut reading: Reading<'_, '_>, entry: &Entry) -> bool {
    if entry.slot.is_cancelled() {
        return true;
    }
    let begun = Instant::now();
    let reply = catch(|| decode::answer(&mut reading, entry));
    let whole = !matches!(reply, Err(Error::Panicked(_)));
    entry.slot.took(begun);
    entry.slot.fill(reply);
    whole
}

/// Reads a window for another session; returns whether this one is whole.
fn read(session: &mut Session<'_>, task: &WindowTask) -> bool {
    if task.gather.is_cancelled() {
        return true;
    }
    let logits = catch(|| {
        let (start, end) = session.logits(&task.ids)?;
        Ok(Logits { start: start.to_vec(), end: end.to_vec() })
    });
    let whole = !matches!(logits, Err(Error::Panicked(_)));
    task.gather.put(task.index, logits);
    whole
}

/// What `work` returns, or that it panicked.
fn catch<R>(work: impl FnOnce() -> Result<R, Error>) -> Result<R, Error> {
    // What `work` changes is a session, which is thrown away, and buffers, which are filled anew.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(Error::Panicked(message(&*panic))))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic").to_owned()
}
