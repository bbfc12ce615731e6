//! Where a reply waits for whoever asked.

use core::mem;
use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Poll, Waker};
use core::time::Duration;
use std::panic::catch_unwind;
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use crate::error::Error;
use crate::reply::Reply;
use crate::sync::{lock, wait};
use crate::ticket::Times;

/// Filled once by a worker (or by the reader, when it closes), emptied once by the ticket.
#[derive(Debug)]
pub(crate) struct Slot {
    /// When the job was handed in.
    since: Instant,
    state: Mutex<State>,
    filled: Condvar,
    /// Known before the reply is.
    times: OnceLock<Times>,
    /// Nobody waits any more.
    cancelled: AtomicBool,
}

#[derive(Debug)]
enum State {
    Empty(Option<Waker>),
    Full(Result<Reply, Error>),
    Taken,
}

impl Default for Slot {
    fn default() -> Self {
        Self {
            since: Instant::now(),
            state: Mutex::default(),
            filled: Condvar::new(),
            times: OnceLock::new(),
            cancelled: AtomicBool::new(false),
        }
    }
}

impl Default for State {
    fn default() -> Self {
        Self::Empty(None)
    }
}

impl State {
    fn take(&mut self) -> Option<Result<Reply, Error>> {
        match mem::replace(self, Self::Taken) {
            Self::Full(reply) => Some(reply),
            Self::Taken => Some(Err(Error::Taken)),
            empty @ Self::Empty(_) => {
                *self = empty;
                None
            }
        }
    }
}

impl Slot {
    /// The first reply stays.
    pub fn fill(&self, reply: Result<Reply, Error>) {
        let mut state = lock(&self.state);
        let State::Empty(waker) = &mut *state else { return };
        let waker = waker.take();
        *state = State::Full(reply);
        drop(state);
        self.filled.notify_all();
        if let Some(waker) = waker {
            // Foreign code; its panic is none of the worker's business.
            let _ = catch_unwind(AssertUnwindSafe(|| waker.wake()));
        }
    }

    /// Notes that a session took the job at `begun`, and has the reply now, which is to follow.
    pub fn took(&self, begun: Instant) {
        let times = Times { waited: begun.saturating_duration_since(self.since), read: begun.elapsed() };
        // Once for each job.
        let _ = self.times.set(times);
    }

    pub fn times(&self) -> Option<Times> {
        self.times.get().copied()
    }

    pub fn is_full(&self) -> bool {
        !matches!(*lock(&self.state), State::Empty(_))
    }

    pub fn wait(&self) -> Result<Reply, Error> {
        let mut state = lock(&self.state);
        loop {
            match state.take() {
                Some(reply) => return reply,
                None => state = wait(&self.filled, state),
            }
        }
    }

    pub fn wait_for(&self, limit: Duration) -> Option<Result<Reply, Error>> {
        let empty = |state: &mut State| matches!(state, State::Empty(_));
        let waited = self.filled.wait_timeout_while(lock(&self.state), limit, empty);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.take()
    }

    pub fn poll(&self, waker: &Waker) -> Poll<Result<Reply, Error>> {
        let mut state = lock(&self.state);
        match state.take() {
            Some(reply) => Poll::Ready(reply),
            None => {
                let old = match &mut *state {
                    State::Empty(slot) => slot.replace(waker.clone()),
                    _ => None,
                };
                drop(state);
                // Foreign code, too: not under the lock.
                drop(old);
                Poll::Pending
            }
        }
    }

    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}
