//! When a run saves a checkpoint, and which ones it keeps.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;

use crate::train::options::Saving;
use crate::train::store::Store;

/// The checkpoints of a run under way.
pub(super) struct Checkpoints {
    store: Store,
    saving: Saving,
    /// The step of the newest one, and when it was saved.
    newest: (usize, Instant),
}

impl Checkpoints {
    /// The checkpoints of a run that stands at step number `step`.
    pub(super) fn new(store: Store, saving: &Saving, step: usize) -> Self {
        Checkpoints { store, saving: saving.clone(), newest: (step, Instant::now()) }
    }

    /// Whether one is due after `step` steps, whatever the time.
    pub(super) fn is_due_by_steps(&self, step: usize) -> bool {
        self.saving.every_steps.is_some_and(|every| step.is_multiple_of(every))
    }

    /// Whether one is due after `step` steps.
    pub(super) fn is_due(&self, step: usize) -> bool {
        self.is_due_by_steps(step) || self.saving.every.is_some_and(|every| self.newest.1.elapsed() >= every)
    }

    /// Whether the newest is that of this step.
    pub(super) fn holds(&self, step: usize) -> bool {
        self.newest.0 == step
    }

    /// The step of the newest one on the disk, if there is any.
    pub(super) fn last_step(&self) -> Option<usize> {
        self.store.steps().ok().and_then(|steps| steps.last().copied())
    }

    /// Saves the checkpoint of a step, which `fill` writes, and removes old ones but that of the step `best`.
    pub(super) fn save(
        &mut self,
        step: usize,
        best: Option<usize>,
        fill: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<()> {
        self.store.write(step, fill)?;
        self.store.retain(self.saving.keep, best)?;
        self.newest = (step, Instant::now());
        Ok(())
    }
}
