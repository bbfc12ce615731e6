//! In whichever order threads run: each task runs once, what it wrote is there when `for_each` returns, nobody waits
//! for ever, and a panic is the caller's. (The last two would be a deadlock and a panic of the model.)

use std::panic::{AssertUnwindSafe, catch_unwind};

use blockspan_kernels::parallel::Parallel;
use blockspan_loom_tests::ThreadPool;
use loom::cell::UnsafeCell;
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

/// Numbers without a lock: loom refuses two accesses of which neither happens before the other.
struct Cells([UnsafeCell<usize>; 3]);

// SAFETY: loom checks each access.
unsafe impl Sync for Cells {}

impl Cells {
    fn new() -> Self {
        Self([0, 0, 0].map(UnsafeCell::new))
    }

    fn add(&self, i: usize) {
        // SAFETY: loom checks that nobody else has it.
        self.0[i].with_mut(|cell| unsafe { *cell += 1 });
    }

    fn get(&self) -> [usize; 3] {
        // SAFETY: loom checks that nobody writes it.
        [0, 1, 2].map(|i| self.0[i].with(|cell| unsafe { *cell }))
    }
}

/// Explores the orders with up to so many preemptions; `LOOM_MAX_PREEMPTIONS` says otherwise.
fn model(preemptions: usize, body: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(preemptions));
    builder.check(body);
}

#[test]
fn two_jobs_one_after_the_other() {
    model(3, || {
        let (pool, cells) = (ThreadPool::new(2).unwrap(), Cells::new());
        pool.for_each(2, &|i| cells.add(i));
        assert_eq!(cells.get(), [1, 1, 0]);
        pool.for_each(3, &|i| cells.add(i));
        assert_eq!(cells.get(), [2, 2, 1]);
    });
}

#[test]
fn two_helpers() {
    model(2, || {
        let (pool, cells) = (ThreadPool::new(3).unwrap(), Cells::new());
        pool.for_each(3, &|i| cells.add(i));
        assert_eq!(cells.get(), [1, 1, 1]);
    });
}

/// The tasks wait for each other, so that the job ends only if the helper comes, asleep or not.
#[test]
fn a_helper_that_goes_to_sleep_is_not_missed() {
    model(3, || {
        let pool = ThreadPool::new(2).unwrap();
        let (arrived, all) = (Mutex::new(0), Condvar::new());
        pool.for_each(2, &|_| {
            let mut arrived = arrived.lock().unwrap();
            *arrived += 1;
            all.notify_all();
            while *arrived < 2 {
                arrived = all.wait(arrived).unwrap();
            }
        });
    });
}

#[test]
fn two_callers() {
    model(2, || {
        let pool = Arc::new(ThreadPool::new(2).unwrap());
        let other = thread::spawn({
            let pool = Arc::clone(&pool);
            move || {
                let cells = Cells::new();
                pool.for_each(2, &|i| cells.add(i));
                // Whoever was refused the helpers before comes again.
                pool.for_each(2, &|i| cells.add(i));
                assert_eq!(cells.get(), [2, 2, 0]);
            }
        });
        let cells = Cells::new();
        pool.for_each(2, &|i| cells.add(i));
        assert_eq!(cells.get(), [1, 1, 0]);
        other.join().unwrap();
    });
}

#[test]
fn a_panic_and_the_job_after_it() {
    model(2, || {
        let (pool, cells) = (ThreadPool::new(2).unwrap(), Cells::new());
        let failed = catch_unwind(AssertUnwindSafe(|| {
            // `resume_unwind` prints nothing, in some ten thousand orders.
            pool.for_each(2, &|i| {
                if i == 1 {
                    std::panic::resume_unwind(Box::new("expected by the test"));
                }
            });
        }));
        let payload = failed.expect_err("the task's panic");
        assert_eq!(payload.downcast_ref(), Some(&"expected by the test"));
        pool.for_each(2, &|i| cells.add(i));
        assert_eq!(cells.get(), [1, 1, 0]);
    });
}

/// Threads that never had a job, and threads that sleep.
#[test]
fn a_pool_ends() {
    model(3, || {
        drop(ThreadPool::new(3).unwrap());
    });
}
