//! The engine allocates nothing: counted by the global allocator, from `Session::with` to the last answer.
//!
//! A program of its own, without the test harness, whose threads would allocate meanwhile.

use core::time::Duration;
use std::alloc::System;
use std::collections::HashSet;
use std::sync::Mutex;
use std::thread;

use anyhow::Result;
use blockspan_engine::{Answer, AnswerOptions, Model, Parallel, Runtime, Serial, Session, ThreadPool};
use blockspan_tests::default_model;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> Result<()> {
    let bytes = default_model()?;
    let passage = "The bridge was opened in 1932 by the premier of New South Wales. ".repeat(60);
    let pool = ThreadPool::new(3)?;
    wait_for_threads(&pool);
    for parallel in [&Serial as &dyn Parallel, &pool] {
        let region = Region::new(ALLOCATOR);
        let model = Model::parse(&bytes)?;
        assert_eq!(region.change().allocations, 0, "parse");

        let tokens = model.config().max_seq_len;
        let len = model.workspace_len(tokens, pool.threads());
        let mut workspace = vec![0; len];
        let mut answers = [Answer::default(); 5];
        let region = Region::new(ALLOCATOR);
        let runtime = Runtime { parallel, ..Runtime::default() };
        let mut session = Session::with(&model, tokens, &mut workspace, runtime)?;
        let outcome = session.answer(
            "When was the bridge opened?",
            &passage,
            &AnswerOptions::default(),
            &mut answers,
        )?;
        let change = region.change();
        assert_eq!(
            (change.allocations, change.reallocations, change.deallocations),
            (0, 0, 0),
            "{} threads",
            parallel.threads()
        );
        assert!(outcome.answers == 5 && outcome.windows > 1);
        println!("no allocation in {} windows on {} threads", outcome.windows, parallel.threads());
    }
    Ok(())
}

/// Returns when each thread of the pool has run a task: starting a thread allocates.
fn wait_for_threads(pool: &ThreadPool) {
    let seen = Mutex::new(HashSet::new());
    while seen.lock().map_or(0, |seen| seen.len()) < pool.threads() {
        pool.for_each(8, &|_| {
            if let Ok(mut seen) = seen.lock() {
                seen.insert(thread::current().id());
            }
            thread::sleep(Duration::from_millis(1));
        });
    }
}
