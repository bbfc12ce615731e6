//! Windows of one passage that other sessions read.

use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use crate::error::Error;
use crate::sync::{lock, wait};

/// Start and end logits of a window.
#[derive(Debug)]
pub(crate) struct Logits {
    pub start: Vec<f32>,
    pub end: Vec<f32>,
}

/// A window that is handed to another session.
#[derive(Debug)]
pub(crate) struct WindowTask {
    pub ids: Arc<[[u32; 2]]>,
    pub index: usize,
    pub gather: Arc<Gather>,
}

/// A window's number and what came of it.
pub(crate) type Gathered = (usize, Result<Logits, Error>);

/// Where the logits of such windows come back.
#[derive(Debug, Default)]
pub(crate) struct Gather {
    arrived: Mutex<Vec<Gathered>>,
    more: Condvar,
    /// Nobody wants them any more.
    cancelled: AtomicBool,
}

impl Gather {
    pub fn put(&self, index: usize, logits: Result<Logits, Error>) {
        lock(&self.arrived).push((index, logits));
        self.more.notify_one();
    }

    /// What has arrived.
    pub fn take(&self) -> Vec<Gathered> {
        core::mem::take(&mut *lock(&self.arrived))
    }

    /// What has arrived, at least one window.
    pub fn wait(&self) -> Vec<Gathered> {
        let mut arrived = lock(&self.arrived);
        while arrived.is_empty() {
            arrived = wait(&self.more, arrived);
        }
        core::mem::take(&mut *arrived)
    }

    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}
