//! What moves bytes between workers.

use anyhow::Result;

/// Moves bytes between workers. A buffer for all of them has a part for each, in the order of their ranks, all of the same
/// length.
pub(super) trait Transport {
    /// This worker's number, from 0.
    fn rank(&self) -> usize;

    /// How many there are, itself included.
    fn workers(&self) -> usize;

    /// Part w of `send` goes to worker w, part w of `receive` comes from it; the own part is copied.
    ///
    /// # Errors
    /// A worker that is lost.
    fn all_to_all(&mut self, send: &[u8], receive: &mut [u8]) -> Result<()>;

    /// `send` goes to every worker; part w of `receive` comes from worker w; the own part is copied.
    ///
    /// # Errors
    /// A worker that is lost.
    fn all_gather(&mut self, send: &[u8], receive: &mut [u8]) -> Result<()>;
}
