//! A pool of threads: created once, parked between calls, no allocation per call.

use std::boxed::Box;
use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::vec::Vec;

use core::cell::UnsafeCell;
use core::fmt;
use core::hint;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use super::{MAX_THREADS, Parallel};

/// How often a thread looks for work (or for the others' end) before it sleeps (or yields): some 20 µs, longer
/// than the pauses between the steps of one forward pass.
const SPINS: u32 = 4_000;

/// Set in [`Shared::state`] when the job takes no more helpers.
const CLOSED: u64 = 1 << 31;

/// Threads that share the tasks of one caller at a time. A second caller that comes meanwhile runs its tasks by
/// itself.
pub struct ThreadPool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    caller: Mutex<()>,
}

struct Shared {
    /// `epoch << 32 | CLOSED | helpers inside`. A helper enters an open job by adding 1.
    state: AtomicU64,
    job: UnsafeCell<Job>,
    next: AtomicUsize,
    panicked: AtomicBool,
    stop: AtomicBool,
    sleepers: Mutex<usize>,
    wake: Condvar,
    sleeping: AtomicUsize,
}

#[derive(Clone, Copy)]
struct Job {
    task: Option<*const (dyn Fn(usize) + Sync)>,
    n: usize,
}

// SAFETY: `job` is written only by the caller that holds `ThreadPool::caller`, while the state is closed and no
// helper is inside; helpers read it only while they are inside.
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
            state: AtomicU64::new(CLOSED),
            job: UnsafeCell::new(Job { task: None, n: 0 }),
            next: AtomicUsize::new(0),
            panicked: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            sleepers: Mutex::new(0),
            wake: Condvar::new(),
            sleeping: AtomicUsize::new(0),
        });
        let mut pool = Self { shared, workers: Vec::new(), caller: Mutex::new(()) };
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
        self.shared.stop.store(true, Ordering::SeqCst);
        self.shared.wake_all();
        for worker in self.workers.drain(..) {
            // A helper's panic was passed on by `for_each` already.
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
        let Ok(_caller) = self.caller.try_lock() else { return alone() };
        // SAFETY: only the lifetime is erased; `Open`'s drop below waits until no helper is inside, before the
        // borrow of `task` ends, even if a task panics.
        let task: &'static (dyn Fn(usize) + Sync) = unsafe { core::mem::transmute(task) };
        // SAFETY: the state is closed with no helper inside (the previous `Open` saw to it) and `_caller` keeps
        // other callers out, so nobody else touches the cell.
        unsafe { *self.shared.job.get() = Job { task: Some(task), n } };
        let open = Open::new(&self.shared);
        open.shared.run(n, task);
        drop(open);
        if self.shared.panicked.swap(false, Ordering::Relaxed) {
            std::panic::resume_unwind(Box::new("a task of the pool panicked"));
        }
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
        shared.state.store(epoch << 32, Ordering::SeqCst);
        if shared.sleeping.load(Ordering::SeqCst) > 0 {
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
            spins += 1;
            if spins < SPINS {
                hint::spin_loop()
            } else {
                thread::yield_now()
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
        if thread::panicking() {
            self.shared.panicked.store(true, Ordering::Relaxed);
        }
        self.shared.state.fetch_sub(1, Ordering::Release);
    }
}

impl Shared {
    /// Takes tasks until there are none.
    fn run(&self, n: usize, task: &(dyn Fn(usize) + Sync)) {
        loop {
            let i = self.next.fetch_add(1, Ordering::Relaxed);
            if i >= n {
                return;
            }
            task(i);
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
            let job = unsafe { *self.job.get() };
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
            let state = self.state.load(Ordering::SeqCst);
            (state & CLOSED == 0 && state >> 32 != seen).then_some(state)
        };
        for _ in 0..SPINS {
            if self.stop.load(Ordering::Relaxed) {
                return None;
            }
            if let Some(state) = ready() {
                return Some(state);
            }
            hint::spin_loop();
        }
        let mut sleepers = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        *sleepers += 1;
        self.sleeping.store(*sleepers, Ordering::SeqCst);
        let found = loop {
            if self.stop.load(Ordering::SeqCst) {
                break None;
            }
            if let Some(state) = ready() {
                break Some(state);
            }
            sleepers = self.wake.wait(sleepers).unwrap_or_else(PoisonError::into_inner);
        };
        *sleepers -= 1;
        self.sleeping.store(*sleepers, Ordering::SeqCst);
        found
    }

    fn wake_all(&self) {
        // Taking the lock makes sure that a thread between its last look and its sleep is not missed.
        drop(self.sleepers.lock().unwrap_or_else(PoisonError::into_inner));
        self.wake.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_runs_once_over_many_calls() {
        for threads in [1, 2, 3, 8] {
            let pool = ThreadPool::new(threads).unwrap();
            for n in (0..200).chain([1000]) {
                let counts: Vec<AtomicUsize> = (0..n).map(|_| AtomicUsize::new(0)).collect();
                pool.for_each(n, &|i| {
                    counts[i].fetch_add(1, Ordering::Relaxed);
                });
                assert!(
                    counts.iter().all(|c| c.load(Ordering::Relaxed) == 1),
                    "{threads} threads, {n} tasks"
                );
            }
        }
    }

    #[test]
    fn callers_at_the_same_time_and_sleepers_are_served() {
        let pool = ThreadPool::new(3).unwrap();
        let sum = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for round in 0..50 {
                        pool.for_each(10, &|i| {
                            sum.fetch_add(i, Ordering::Relaxed);
                        });
                        if round % 20 == 0 {
                            thread::sleep(core::time::Duration::from_millis(2));
                        }
                    }
                });
            }
        });
        assert_eq!(sum.into_inner(), 4 * 50 * 45);
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_goes_on() {
        let pool = ThreadPool::new(2).unwrap();
        let result = std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| {
            pool.for_each(64, &|i| assert!(i != 40, "expected by the test"));
        }));
        assert!(result.is_err());
        let count = AtomicUsize::new(0);
        pool.for_each(64, &|_| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(count.into_inner(), 64);
    }
}
