//! What all requests share.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::Result;
use axum::http::HeaderMap;
use tokio::sync::{Mutex, Semaphore};

use super::auth::Keys;
use super::loaded::{Loaded, Loading};
use super::metrics::Metrics;
use crate::cli::{LimitArgs, Serve};

/// Bodies of the largest size whose bytes are held at the same time; many small ones take their place.
const LARGEST_BODIES: usize = 64;

/// Limits, counters, the model at work.
pub struct App {
    pub limits: LimitArgs,
    pub body_timeout: Duration,
    pub metrics: Metrics,
    pub loading: Loading,
    /// A permit is a place for a question, in the queue or with a session.
    pub places: Arc<Semaphore>,
    /// Held by the connection that throws away the next piece of a body that is too long.
    pub drain_turn: Mutex<()>,
    loaded: RwLock<Arc<Loaded>>,
    keys: Option<RwLock<Keys>>,
    /// Bytes of request bodies in memory.
    body_bytes: AtomicUsize,
    /// Requests with questions that have no response yet.
    in_flight: AtomicUsize,
    draining: AtomicBool,
}

/// Memory for a request's body and what is made of it, as long as it lives.
pub struct Room {
    app: Arc<App>,
    bytes: usize,
}

/// A request with questions, until its response is there.
pub struct InFlight(Arc<App>);

impl Room {
    /// For no bytes.
    pub fn new(app: Arc<App>) -> Self {
        Self { app, bytes: 0 }
    }

    /// For more bytes; whether there is memory for them at the moment.
    pub fn grow(&mut self, more: usize) -> bool {
        let most = self.app.limits.max_body_bytes.saturating_mul(LARGEST_BODIES);
        self.bytes += more;
        self.app.body_bytes.fetch_add(more, Ordering::AcqRel).saturating_add(more) <= most
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.app.body_bytes.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

impl InFlight {
    /// Counts it.
    pub fn new(app: Arc<App>) -> Self {
        app.in_flight.fetch_add(1, Ordering::AcqRel);
        Self(app)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}

impl App {
    /// With the model that was loaded, and the keys of the file, if one is asked for.
    pub fn new(args: &Serve, loading: Loading, loaded: Loaded) -> Result<Self> {
        let keys = args.access.api_key_file.as_deref().map(Keys::read).transpose()?;
        Ok(Self {
            limits: args.limits.clone(),
            body_timeout: seconds(args.timeouts.body_timeout),
            metrics: Metrics::new(),
            places: Arc::new(Semaphore::new(loading.places())),
            drain_turn: Mutex::new(()),
            loading,
            loaded: RwLock::new(Arc::new(loaded)),
            keys: keys.map(RwLock::new),
            body_bytes: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
        })
    }

    /// The model at work. A request keeps to the one that it began with.
    pub fn loaded(&self) -> Arc<Loaded> {
        Arc::clone(&self.loaded.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another model to work.
    pub fn replace(&self, loaded: Loaded) {
        let mut place = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
        let old = core::mem::replace(&mut *place, Arc::new(loaded));
        drop(place);
        drop(old);
    }

    /// Takes other keys.
    pub fn replace_keys(&self, keys: Keys) {
        if let Some(place) = &self.keys {
            *place.write().unwrap_or_else(PoisonError::into_inner) = keys;
        }
    }

    /// Whether the request may be answered.
    pub fn allows(&self, headers: &HeaderMap) -> bool {
        let keys = self.keys.as_ref();
        keys.is_none_or(|keys| keys.read().unwrap_or_else(PoisonError::into_inner).allow(headers))
    }

    /// Requests with questions that have no response yet.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Acquire)
    }

    /// From now on questions are refused; those that were taken are answered.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Whether the server is about to end.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }
}

/// A number of seconds as options give it.
pub fn seconds(seconds: usize) -> Duration {
    Duration::from_secs(seconds as u64)
}
