//! Many questions at once: one session on each thread, all over one model.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use anyhow::{Result, anyhow};
use blockspan_engine::{Kernels, Model, Runtime, Serial, Session};

use crate::runtime::new_workspace;

/// Sessions of one thread each. For many questions that is faster than one session on all threads, which have to meet
/// after every product.
pub struct Sessions<'m> {
    pub model: &'m Model<'m>,
    pub max_seq_len: usize,
    pub kernels: &'static dyn Kernels,
    /// How many; each has a workspace of its own.
    pub count: usize,
}

impl Sessions<'_> {
    /// Does `work` on every item; the results stand in the order of the items. After an error no further item is begun,
    /// and the error of the first item that has one is returned, for any number of sessions.
    pub fn map<T, R>(
        &self,
        items: &[T],
        work: impl Fn(&mut Session<'_>, &T) -> Result<R> + Sync,
    ) -> Result<Vec<R>>
    where
        T: Sync,
        R: Send,
    {
        let count = self.count.min(items.len()).max(1);
        // Here, so that a lack of memory is told before anything is begun.
        let workspaces =
            (0..count).map(|_| new_workspace(self.model, self.max_seq_len, 1)).collect::<Result<Vec<_>>>()?;
        let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
        let run = |mut workspace: Vec<u8>| -> Result<Vec<(usize, Result<R>)>> {
            let runtime = Runtime { kernels: self.kernels, parallel: &Serial };
            let mut session = Session::with(self.model, self.max_seq_len, &mut workspace, runtime)?;
            let mut done = Vec::new();
            while !failed.load(Ordering::Relaxed) {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(item) = items.get(index) else { break };
                let result = work(&mut session, item);
                if result.is_err() {
                    failed.store(true, Ordering::Relaxed);
                }
                done.push((index, result));
            }
            Ok(done)
        };
        let mut done = thread::scope(|scope| {
            let mut workspaces = workspaces.into_iter();
            let own = workspaces.next();
            let run = &run;
            let helpers = workspaces
                .map(|workspace| thread::Builder::new().spawn_scoped(scope, move || run(workspace)));
            let helpers = helpers.collect::<std::io::Result<Vec<_>>>().map_err(|error| {
                // Those that have been started end at once.
                failed.store(true, Ordering::Relaxed);
                anyhow!("cannot start {count} threads: {error}; give a smaller --threads")
            })?;
            let mut done = own.map_or(Ok(Vec::new()), run)?;
            for helper in helpers {
                match helper.join() {
                    Ok(part) => done.extend(part?),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            anyhow::Ok(done)
        })?;
        // Items are begun in order, so that those before the first error are all there.
        done.sort_unstable_by_key(|(index, _)| *index);
        done.into_iter().map(|(_, result)| result).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::path::Path;
    use std::sync::{Barrier, Mutex};
    use std::thread;

    use anyhow::{Result, bail};

    use super::Sessions;
    use crate::model_source::ModelSource;

    fn with<R>(count: usize, use_them: impl FnOnce(&Sessions<'_>) -> R) -> R {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/default.bspan");
        let source = ModelSource::open(Some(&path)).unwrap();
        let model = source.parse().unwrap();
        use_them(&Sessions { model: &model, max_seq_len: 8, kernels: blockspan_engine::best(), count })
    }

    #[test]
    fn results_keep_the_order_of_the_items() {
        let items: Vec<usize> = (0..1000).collect();
        for count in [1, 2, 3, 16, 2000] {
            let doubled = with(count, |sessions| sessions.map(&items, |_, item| Ok(2 * item))).unwrap();
            assert_eq!(doubled, items.iter().map(|item| 2 * item).collect::<Vec<_>>());
        }
        assert!(with(3, |sessions| sessions.map(&[(); 0], |_, ()| Ok(()))).unwrap().is_empty());
    }

    /// The barrier opens only if three threads wait at it.
    #[test]
    fn as_many_threads_work_as_there_are_sessions() {
        let (barrier, threads) = (Barrier::new(3), Mutex::new(HashSet::new()));
        let work = |_: &mut blockspan_engine::Session<'_>, _: &()| {
            barrier.wait();
            threads.lock().unwrap().insert(thread::current().id());
            Ok(())
        };
        with(3, |sessions| sessions.map(&[(); 3], work)).unwrap();
        assert_eq!(threads.into_inner().unwrap().len(), 3);
    }

    #[test]
    fn the_first_error_wins_whatever_the_number_of_sessions() {
        let items: Vec<usize> = (0..200).collect();
        let work = |_: &mut blockspan_engine::Session<'_>, &item: &usize| -> Result<usize> {
            if item % 50 == 49 {
                bail!("item {item}");
            }
            Ok(item)
        };
        for count in [1, 2, 7] {
            let error = with(count, |sessions| sessions.map(&items, work)).unwrap_err();
            assert_eq!(error.to_string(), "item 49");
        }
    }
}
