//! Workers that MPI connects.

use anyhow::{Context, Result, ensure};
use mpi::environment::Universe;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, CommunicatorCollectives};

use super::place::Place;
use super::transport::Transport;

/// MPI as a transport. Its own sum (`MPI_Allreduce`) may add in any order that the implementation likes, so that only bytes
/// go through it. A worker that is lost ends the whole job: MPI's doing.
pub(super) struct Mpi {
    world: SimpleCommunicator,
}

impl Mpi {
    /// Connects a worker to all others, for as long as the universe lives.
    ///
    /// # Errors
    /// An MPI that knows of other workers than the launcher.
    pub fn connect(place: &Place) -> Result<(Self, Universe)> {
        let universe = mpi::initialize().context("MPI has been started already")?;
        let world = universe.world();
        let (rank, workers) = (usize::try_from(world.rank())?, usize::try_from(world.size())?);
        ensure!(
            (rank, workers) == (place.rank, place.workers),
            "MPI makes this worker number {rank} of {workers}, its launcher number {} of {}; start it with the mpirun of \
             the MPI that it was built with",
            place.rank,
            place.workers
        );
        Ok((Mpi { world }, universe))
    }
}

impl Transport for Mpi {
    fn rank(&self) -> usize {
        self.world.rank().unsigned_abs() as usize
    }

    fn workers(&self) -> usize {
        self.world.size().unsigned_abs() as usize
    }

    fn all_to_all(&mut self, send: &[u8], receive: &mut [u8]) -> Result<()> {
        self.world.all_to_all_into(send, receive);
        Ok(())
    }

    fn all_gather(&mut self, send: &[u8], receive: &mut [u8]) -> Result<()> {
        self.world.all_gather_into(send, receive);
        Ok(())
    }
}
