//! What several workers, on several GPUs or machines, exchange.

mod in_rank_order;
#[cfg(feature = "mpi")]
mod mpi;
#[cfg(feature = "nccl")]
mod nccl;
mod place;
mod tcp;
mod team;
mod transport;

use anyhow::Result;
use candle_core::Tensor;

pub use place::{Launcher, Place};
pub use team::{Backend, Team};

/// The connection of one worker to the others. All workers run the same program with the same options; each computes
/// the gradient of its share of a step's windows, weighed so that the sum over the workers is the gradient of the
/// whole step, and takes the same step of the optimizer with that sum. Hence their weights stay equal without being
/// exchanged, as long as [`Exchange::all_reduce_sum`] gives every worker the same bits.
pub trait Exchange {
    /// This worker's number, from 0. Number 0 writes the files.
    fn rank(&self) -> usize;

    /// How many there are, itself included.
    fn workers(&self) -> usize;

    /// This worker's number among those on its machine, from 0.
    fn local_rank(&self) -> usize {
        self.rank()
    }

    /// Replaces each tensor by its sum over all workers (an all-reduce, as NCCL calls it). Every worker calls it equally often, with
    /// tensors of the same shapes in the same order: once before a step with what they must agree on (time spent,
    /// interruption), once between the backward pass and the step of the optimizer with the gradients.
    ///
    /// # Errors
    /// A worker that is lost; the run ends then, and can be resumed from its last checkpoint.
    fn all_reduce_sum(&mut self, tensors: &mut [&mut Tensor]) -> Result<()>;
}

/// The only worker: nothing to exchange.
#[derive(Clone, Copy, Debug, Default)]
pub struct SingleWorker;

impl Exchange for SingleWorker {
    fn rank(&self) -> usize {
        0
    }

    fn workers(&self) -> usize {
        1
    }

    fn all_reduce_sum(&mut self, _: &mut [&mut Tensor]) -> Result<()> {
        Ok(())
    }
}
