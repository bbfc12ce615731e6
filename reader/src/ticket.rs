//! A job that has been handed in.

use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::sync::Arc;

use crate::error::Error;
use crate::queue::Queue;
use crate::reply::Reply;
use crate::slot::Slot;

/// Stands for a job that was handed in: wait for its reply, or `.await` it under any executor. Dropping the ticket
/// cancels the job: it leaves the queue at once, and if it is being read, that ends with the window at hand.
#[derive(Debug)]
#[must_use = "dropping the ticket cancels the job"]
pub struct Ticket {
    pub(crate) slot: Arc<Slot>,
    pub(crate) queue: Arc<Queue>,
}

/// How long a job took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// From handing it in until a session took it.
    pub waited: Duration,
    /// From then until its reply was there.
    pub read: Duration,
}

impl Ticket {
    /// Waits for the reply. For programs without an executor; it blocks the thread.
    ///
    /// # Errors
    /// Why there is no reply.
    pub fn wait(self) -> Result<Reply, Error> {
        self.slot.wait()
    }

    /// Waits for the reply, but not longer than `limit`; `None` if there is none yet. For programs that have to look after
    /// something else meanwhile, such as signals.
    pub fn wait_for(&mut self, limit: Duration) -> Option<Result<Reply, Error>> {
        self.slot.wait_for(limit)
    }

    /// Whether the reply is there, so that nothing waits for it.
    pub fn is_done(&self) -> bool {
        self.slot.is_full()
    }

    /// How long the job took, once its reply is there; `None` before, and for a job that no session took.
    pub fn times(&self) -> Option<Times> {
        self.slot.times()
    }
}

impl Future for Ticket {
    type Output = Result<Reply, Error>;

    /// Ready once; polled again after that, [`Error::Taken`].
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.slot.poll(context.waker())
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.slot.is_full() {
            self.slot.cancel();
            self.queue.forget(&self.slot);
        }
    }
}
