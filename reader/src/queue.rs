//! Jobs that wait for a session, first in, first out; and before them windows of jobs that are being read.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex};

use crate::gather::{Gather, WindowTask};
use crate::job::Job;
use crate::slot::Slot;
use crate::sync::{lock, wait};

/// A job and where its reply goes.
#[derive(Debug)]
pub(crate) struct Entry {
    pub job: Job,
    pub slot: Arc<Slot>,
}

/// What a worker does next.
#[derive(Debug)]
pub(crate) enum Task {
    Job(Entry),
    Window(WindowTask),
}

/// Between those who ask and the workers.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    /// There is something to do, or the queue is closed.
    work: Condvar,
    /// There is room for a job, or the queue is closed.
    room: Condvar,
    capacity: usize,
}

#[derive(Debug, Default)]
struct State {
    jobs: VecDeque<Entry>,
    windows: VecDeque<WindowTask>,
    /// Workers that wait for work; those that were woken count until they have taken some.
    idle: usize,
    closed: bool,
}

impl State {
    /// Workers that nothing waits for.
    fn spare(&self) -> usize {
        self.idle.saturating_sub(self.jobs.len() + self.windows.len())
    }

    /// Whether no further job may wait. One that a spare worker is about to take needs no place.
    fn is_full(&self, capacity: usize) -> bool {
        self.jobs.len() >= capacity && self.spare() == 0
    }
}

impl Queue {
    /// At most `capacity` jobs wait.
    pub fn new(capacity: usize) -> Self {
        Self { state: Mutex::default(), work: Condvar::new(), room: Condvar::new(), capacity }
    }

    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Jobs that wait.
    pub fn len(&self) -> usize {
        lock(&self.state).jobs.len()
    }

    /// Adds a job, or gives it back if there is no room.
    pub fn try_push(&self, entry: Entry) -> Result<(), Entry> {
        let mut state = lock(&self.state);
        if state.closed || state.is_full(self.capacity) {
            return Err(entry);
        }
        state.jobs.push_back(entry);
        drop(state);
        self.work.notify_one();
        Ok(())
    }

    /// Adds a job when there is room; gives it back if the queue is closed.
    pub fn push(&self, entry: Entry) -> Result<(), Entry> {
        let mut state = lock(&self.state);
        while !state.closed && state.is_full(self.capacity) {
            state = wait(&self.room, state);
        }
        if state.closed {
            return Err(entry);
        }
        state.jobs.push_back(entry);
        drop(state);
        self.work.notify_one();
        Ok(())
    }

    /// The next task, when there is one; `None` once the queue is closed.
    pub fn take(&self) -> Option<Task> {
        let mut state = lock(&self.state);
        loop {
            if state.closed {
                return None;
            }
            if let Some(window) = state.windows.pop_front() {
                return Some(Task::Window(window));
            }
            if let Some(entry) = state.jobs.pop_front() {
                drop(state);
                self.room.notify_one();
                return Some(Task::Job(entry));
            }
            state.idle += 1;
            state = wait(&self.work, state);
            state.idle -= 1;
        }
    }

    /// Hands a window, made only then, to a worker that has nothing to do; returns whether there is one.
    pub fn lend(&self, window: impl FnOnce() -> WindowTask) -> bool {
        let mut state = lock(&self.state);
        if state.closed || state.spare() == 0 {
            return false;
        }
        state.windows.push_back(window());
        drop(state);
        self.work.notify_one();
        true
    }

    /// A window of this passage that nobody has begun.
    pub fn take_back(&self, gather: &Arc<Gather>) -> Option<WindowTask> {
        let mut state = lock(&self.state);
        let at = state.windows.iter().position(|window| Arc::ptr_eq(&window.gather, gather))?;
        state.windows.remove(at)
    }

    /// Removes a job that nobody waits for.
    pub fn forget(&self, slot: &Arc<Slot>) {
        let mut state = lock(&self.state);
        if let Some(at) = state.jobs.iter().position(|entry| Arc::ptr_eq(&entry.slot, slot)) {
            let entry = state.jobs.remove(at);
            drop(state);
            self.room.notify_one();
            drop(entry);
        }
    }

    /// Ends the workers; returns the jobs that nobody has begun.
    pub fn close(&self) -> VecDeque<Entry> {
        let mut state = lock(&self.state);
        state.closed = true;
        let jobs = core::mem::take(&mut state.jobs);
        drop(state);
        self.work.notify_all();
        self.room.notify_all();
        jobs
    }

    /// Workers that wait for work.
    #[cfg(test)]
    pub fn idle(&self) -> usize {
        lock(&self.state).idle
    }

    pub fn is_closed(&self) -> bool {
        lock(&self.state).closed
    }
}
