//! A pool of threads: created once, parked between calls, no allocation per call.

use core::any::Any;
use core::fmt;
use core::panic::AssertUnwindSafe;
use std::boxed::Box;
use std::io;
use std::panic::{catch_unwind, resume_unwind};
use std::sync::PoisonError;
use std::vec::Vec;

use super::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
use super::sync::thread::{self, JoinHandle};
use super::sync::{Arc, Condvar, Mutex, SPINS, UnsafeCell, spin_loop};
use super::{MAX_THREADS, Parallel};

/// Set in [`Shared::state`] when the job takes no more helpers.
const CLOSED: u64 = 1 << 31;

/// Threads that share the tasks of one caller at a time. A second caller that comes meanwhile runs its tasks by
/// itself, and so does a task that calls the pool again.
///
/// A task that panics ends the job: the other threads stop at their next task, the caller gets the panic, and the pool
/// goes on with all its threads.
pub struct ThreadPool {
    pub(super) shared: Arc<Shared>,
    pub(super) workers: Vec<JoinHandle<()>>,
}

pub(super) struct Shared {
    /// A caller has the helpers.
    pub(super) busy: AtomicBool,
    /// `epoch << 32 | CLOSED | helpers inside`. A helper enters an open job by adding 1.
    state: AtomicU64,
    job: UnsafeCell<Job>,
    pub(super) next: AtomicUsize,
    /// What the first task of this job that panicked had to say.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    stop: AtomicBool,
    sleepers: Mutex<usize>,
    wake: Condvar,
    pub(super) sleeping: AtomicUsize,
}

#[derive(Clone, Copy)]
struct Job {
    task: Option<*const (dyn Fn(usize) + Sync)>,
    n: usize,
}

// SAFETY: `job` is written only by the caller that has `busy`, while the state is closed and no helper is inside;
// helpers read it only while they are inside.
unsafe impl Sync for Shared {}
// SAFETY: the pointer in `job` is used only while the caller that lent it waits in `for_each`.
unsafe impl Send for Shared {}

impl ThreadPool {
    /// A pool in which `threads` threads work: the caller and `threads − 1` others.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] unless there are 1 to [`MAX_THREADS`]; the operating system's, if it starts no
    /// more threads.
    pub fn new(threads: usize) -> io::Result<Self> {
        if !(1..=MAX_THREADS).contains(&threads) {
            let reason = std::format!("a pool has 1 to {MAX_THREADS} threads");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        let shared = Arc::new(Shared {
            busy: AtomicBool::new(false),
            state: AtomicU64::new(CLOSED),
            job: UnsafeCell::new(Job { task: None, n: 0 }),
            next: AtomicUsize::new(0),
            panic: Mutex::new(None),
            stop: AtomicBool::new(false),
            sleepers: Mutex::new(0),
            wake: Condvar::new(),
            sleeping: AtomicUsize::new(0),
        });
        let mut pool = Self { shared, workers: Vec::new() };
        for i in 1..threads {
            let shared = Arc::clone(&pool.shared);
            let builder = thread::Builder::new().name(std::format!("blockspan-{i}"));
            pool.workers.push(builder.spawn(move || shared.work())?);
        }
        Ok(pool)
    }
}

impl fmt::Debug for ThreadPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPool").field("threads", &self.threads()).finish()
    }
}

impl Drop for ThreadPool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        self.shared.wake_all();
        for worker in self.workers.drain(..) {
            // A helper does not panic: `run` catches the panics of tasks.
            let _ = worker.join();
        }
    }
}

impl Parallel for ThreadPool {
    fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    fn for_each(&self, n: usize, task: &(dyn Fn(usize) + Sync)) {
        let alone = || (0..n).for_each(task);
        if n <= 1 || self.workers.is_empty() {
            return alone();
        }
        let Some(_busy) = Busy::claim(&self.shared) else { return alone() };
        // SAFETY: only the lifetime is erased; `Open`'s drop below waits until no helper is inside, before the
        // borrow of `task` ends, even if something panics.
        let task: &'static (dyn Fn(usize) + Sync) = unsafe { core::mem::transmute(task) };
        self.shared.job.with_mut(|job| {
            // SAFETY: the state is closed with no helper inside (the previous `Open` saw to it) and `_busy` keeps
            // other callers out, so nobody else touches the cell.
            unsafe { *job = Job { task: Some(task), n } }
        });
        let open = Open::new(&self.shared);
        self.shared.run(n, task);
        drop(open);
        let panic = self.shared.panic.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(payload) = panic {
            resume_unwind(payload);
        }
    }
}

/// The caller that has the helpers; gives them back when dropped.
struct Busy<'a> {
    shared: &'a Shared,
}

impl<'a> Busy<'a> {
    fn claim(shared: &'a Shared) -> Option<Self> {
        let claimed = shared.busy.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed);
        // Made only where it was claimed: dropping it gives the helpers back.
        claimed.is_ok().then(|| Self { shared })
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.shared.busy.store(false, Ordering::Release);
    }
}

/// A job that helpers may enter; dropping it waits for those inside.
struct Open<'a> {
    shared: &'a Shared,
}

impl<'a> Open<'a> {
    fn new(shared: &'a Shared) -> Self {
        shared.next.store(0, Ordering::Relaxed);
        let epoch = (shared.state.load(Ordering::Relaxed) >> 32).wrapping_add(1);
        shared.state.store(epoch << 32, Ordering::Release);
        // Either this sees a helper that goes to sleep, or that helper sees the open job (`Shared::wait`).
        fence(Ordering::SeqCst);
        if shared.sleeping.load(Ordering::Relaxed) > 0 {
            shared.wake_all();
        }
        Self { shared }
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let mut state = self.shared.state.fetch_or(CLOSED, Ordering::AcqRel);
        let mut spins = 0;
        while state & (CLOSED - 1) != 0 {
            if spins < SPINS {
                spins += 1;
                spin_loop();
            } else {
                thread::yield_now();
            }
            state = self.shared.state.load(Ordering::Acquire);
        }
    }
}

/// A helper inside a job; leaves when dropped.
struct Inside<'a> {
    shared: &'a Shared,
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.shared.state.fetch_sub(1, Ordering::Release);
    }
}

impl Shared {
    /// Takes tasks until there are none, or one panics; then there are none for the others either.
    fn run(&self, n: usize, task: &(dyn Fn(usize) + Sync)) {
        let tasks = || {
            loop {
                let i = self.next.fetch_add(1, Ordering::Relaxed);
                if i >= n {
                    return;
                }
                task(i);
            }
        };
        if let Err(payload) = catch_unwind(AssertUnwindSafe(tasks)) {
            self.next.store(n, Ordering::Relaxed);
            let mut first = self.panic.lock().unwrap_or_else(PoisonError::into_inner);
            if first.is_none() {
                *first = Some(payload);
            } else {
                drop(first);
                // The destructor of the payload is the task's code and could panic too. What such a second panic
                // carries is not dropped, so that this ends.
                if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
                    core::mem::forget(payload);
                }
            }
        }
    }

    /// A helper's life.
    fn work(&self) {
        let mut seen = 0;
        while let Some(state) = self.wait(seen) {
            seen = state >> 32;
            if self.state.compare_exchange(state, state + 1, Ordering::Acquire, Ordering::Relaxed).is_err() {
                // Closed meanwhile, or another helper entered first: look again.
                seen = seen.wrapping_sub(1);
                continue;
            }
            let inside = Inside { shared: self };
            // SAFETY: this helper is inside an open job: the caller wrote the cell before it opened the job, and
            // waits for this helper before it writes again.
            let job = self.job.with(|job| unsafe { *job });
            if let Some(task) = job.task {
                // SAFETY: the caller that lent `task` stays in `for_each` until this helper has left.
                self.run(job.n, unsafe { &*task });
            }
            drop(inside);
        }
    }

    /// Waits for an open job of another epoch than `seen`; `None` when the pool ends.
    fn wait(&self, seen: u64) -> Option<u64> {
        let ready = || {
            let state = self.state.load(Ordering::Acquire);
            (state & CLOSED == 0 && state >> 32 != seen).then_some(state)
        };
        for _ in 0..SPINS {
            if self.stop.load(Ordering::Relaxed) {
                return None;
            }
            if let Some(state) = ready() {
                return Some(state);
            }
            spin_loop();
        }
        let mut sleepers = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        *sleepers += 1;
        self.sleeping.store(*sleepers, Ordering::Relaxed);
        // Either the look below sees the job that a caller opens, or that caller sees this sleeper (`Open::new`).
        fence(Ordering::SeqCst);
        let found = loop {
            if self.stop.load(Ordering::Relaxed) {
                break None;
            }
            if let Some(state) = ready() {
                break Some(state);
            }
            sleepers = self.wake.wait(sleepers).unwrap_or_else(PoisonError::into_inner);
        };
        *sleepers -= 1;
        self.sleeping.store(*sleepers, Ordering::Relaxed);
        found
    }

    fn wake_all(&self) {
        // Taking the lock makes sure that a thread between its last look and its sleep is not missed.
        drop(self.sleepers.lock().unwrap_or_else(PoisonError::into_inner));
        self.wake.notify_all();
    }
}
