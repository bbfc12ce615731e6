//! The pool's tests: tasks that all threads must have at the same time, and tasks that panic. (`tests/loom` goes through
//! the orders in which threads may run.)

use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::collections::HashSet;
use std::panic::catch_unwind;
use std::string::{String, ToString};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::vec::Vec;
use std::{io, thread};

use super::{MAX_THREADS, Parallel, ThreadPool};

/// Lets tasks through when all of them have begun, which takes as many threads.
struct Gate {
    arrived: Mutex<usize>,
    all: Condvar,
}

impl Gate {
    fn new() -> Self {
        Self { arrived: Mutex::new(0), all: Condvar::new() }
    }

    /// Whether `count` tasks are here at the same time. A pool that has too few threads never gets there; the time is
    /// for a test to fail in, in place of hanging.
    fn pass(&self, count: usize) -> bool {
        let mut arrived = self.arrived.lock().unwrap_or_else(PoisonError::into_inner);
        *arrived += 1;
        self.all.notify_all();
        let patience = Duration::from_secs(60);
        let (arrived, _) = self
            .all
            .wait_timeout_while(arrived, patience, |arrived| *arrived < count)
            .unwrap_or_else(PoisonError::into_inner);
        *arrived >= count
    }
}

/// Whether `threads` tasks run at the same time, each on a thread of its own.
fn all_threads_work(pool: &ThreadPool, threads: usize) -> bool {
    let (gate, passed) = (Gate::new(), Mutex::new(HashSet::new()));
    pool.for_each(threads, &|_| {
        if gate.pass(threads) {
            passed.lock().unwrap_or_else(PoisonError::into_inner).insert(thread::current().id());
        }
    });
    passed.into_inner().unwrap_or_else(PoisonError::into_inner).len() == threads
}

/// The panic of a call, as text.
fn panic_of(call: impl FnOnce()) -> Option<String> {
    let payload = catch_unwind(AssertUnwindSafe(call)).err()?;
    let text = payload.downcast_ref::<&str>().map(|text| text.to_string());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
}

#[test]
fn as_many_threads_work_at_the_same_time_as_the_pool_says() {
    for threads in [1, 2, 3, 8, MAX_THREADS] {
        let pool = ThreadPool::new(threads).unwrap();
        assert_eq!(pool.threads(), threads);
        assert_eq!(std::format!("{pool:?}"), std::format!("ThreadPool {{ threads: {threads} }}"));
        for round in 0..20 {
            assert!(all_threads_work(&pool, threads), "{threads} threads, round {round}");
        }
    }
}

#[test]
fn threads_without_number_are_refused() {
    for threads in [0, MAX_THREADS + 1, usize::MAX] {
        let error = ThreadPool::new(threads).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert_eq!(error.to_string(), "a pool has 1 to 32 threads");
    }
}

#[test]
fn every_task_runs_once_over_many_calls() {
    for threads in [1, 2, 3, 8] {
        let pool = ThreadPool::new(threads).unwrap();
        for n in (0..200).chain([1000]) {
            let counts: Vec<AtomicUsize> = (0..n).map(|_| AtomicUsize::new(0)).collect();
            pool.for_each(n, &|i| {
                counts[i].fetch_add(1, Ordering::Relaxed);
            });
            assert!(counts.iter().all(|c| c.load(Ordering::Relaxed) == 1), "{threads} threads, {n} tasks");
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
                        thread::sleep(Duration::from_millis(2));
                    }
                }
            });
        }
    });
    assert_eq!(sum.into_inner(), 4 * 50 * 45);
    assert!(all_threads_work(&pool, 3));
}

/// The helpers have gone to sleep: nobody looks for work any more.
#[test]
fn sleeping_helpers_are_woken() {
    let pool = ThreadPool::new(4).unwrap();
    for _ in 0..3 {
        while pool.shared.sleeping.load(Ordering::Relaxed) < 3 {
            thread::yield_now();
        }
        assert!(all_threads_work(&pool, 4));
    }
}

#[test]
fn a_second_caller_and_a_task_that_calls_again_run_their_tasks_alone() {
    let pool = ThreadPool::new(2).unwrap();
    let others = Mutex::new(Vec::new());
    pool.for_each(2, &|_| {
        let here = thread::current().id();
        pool.for_each(8, &|i| others.lock().unwrap().push((here == thread::current().id(), i)));
    });
    let mut others = others.into_inner().unwrap();
    others.sort_unstable();
    assert_eq!(others, (0..8).flat_map(|i| [(true, i); 2]).collect::<Vec<_>>());
    assert!(all_threads_work(&pool, 2));
}

/// The second caller gave back helpers that it did not have, a third took them, and tasks of the first were lost.
#[test]
fn a_second_caller_does_not_take_the_helpers_from_the_first() {
    let pool = ThreadPool::new(2).unwrap();
    pool.for_each(2, &|_| {
        for _ in 0..3 {
            pool.for_each(2, &|_| {});
            assert!(pool.shared.busy.load(Ordering::Relaxed));
        }
    });
    assert!(!pool.shared.busy.load(Ordering::Relaxed));
}

/// After a panic every later call ran on the caller's thread alone, and helpers whose tasks had panicked were gone.
#[test]
fn after_a_panic_all_threads_work_again() {
    let pool = ThreadPool::new(3).unwrap();
    for round in 0..5 {
        // In each of the threads, one after the other and all at once.
        for panicking in [&[0][..], &[1], &[2], &[0, 1, 2]] {
            let gate = Gate::new();
            let message = panic_of(|| {
                pool.for_each(3, &|i| {
                    assert!(gate.pass(3));
                    assert!(!panicking.contains(&i), "expected by the test");
                });
            });
            assert_eq!(message.as_deref(), Some("expected by the test"), "round {round}");
            assert!(pool.workers.iter().all(|worker| !worker.is_finished()));
            assert!(all_threads_work(&pool, 3), "round {round}, {panicking:?}");
        }
    }
}

/// A panic of a helper stayed behind when the caller's own task panicked too, and was the next call's.
#[test]
fn a_panic_is_that_of_its_own_call() {
    let pool = ThreadPool::new(2).unwrap();
    for _ in 0..20 {
        let gate = Gate::new();
        let message = panic_of(|| {
            pool.for_each(2, &|_| {
                assert!(gate.pass(2));
                panic!("expected by the test");
            });
        });
        assert!(message.is_some());
        pool.for_each(2, &|_| {});
    }
}

#[test]
fn tasks_that_have_not_begun_when_another_panics_are_left_out() {
    let pool = ThreadPool::new(2).unwrap();
    let (gate, ran) = (Gate::new(), AtomicUsize::new(0));
    let message = panic_of(|| {
        pool.for_each(1_000_000, &|i| {
            ran.fetch_add(1, Ordering::Relaxed);
            // Both threads have a task: one panics, and the other waits until that is known.
            let panics = gate.pass(2) && i == 0;
            assert!(!panics, "expected by the test");
            while pool.shared.next.load(Ordering::Relaxed) < 1_000_000 {
                thread::yield_now();
            }
        });
    });
    assert_eq!((message.as_deref(), ran.into_inner()), (Some("expected by the test"), 2));
}

#[test]
fn dropping_a_pool_ends_its_threads() {
    let pool = ThreadPool::new(3).unwrap();
    let shared = Arc::downgrade(&pool.shared);
    pool.for_each(64, &|_| {});
    drop(pool);
    assert_eq!(shared.strong_count(), 0);
}
