//! The workers of a run: those that this process starts, and its connection to all.

use core::time::Duration;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Error, Result, bail};
use candle_core::Device;
#[cfg(feature = "mpi")]
use mpi::{environment::Universe, traits::Communicator};

use super::in_rank_order::InRankOrder;
use super::place::{Launcher, Place, TEAM_KEY};
use super::tcp::Meeting;
use super::{Exchange, SingleWorker};
#[cfg(feature = "mpi")]
use crate::{errors::one_line, output};

/// How long workers wait for each other at the start: machines of a cluster do not begin at the same moment.
const PATIENCE: Duration = Duration::from_secs(300);

/// What takes gradients from worker to worker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Backend {
    /// Connections of its own, each worker with each.
    Tcp,
    /// MPI; in a build with the feature `mpi`.
    Mpi,
    /// NVIDIA's NCCL between GPUs, with TCP to find each other; in a build with the feature `nccl`.
    Nccl,
}

impl Backend {
    /// What a worker that was started so on this device takes by default.
    fn default_for(place: &Place, device: &Device) -> Self {
        if cfg!(feature = "nccl") && device.is_cuda() {
            Backend::Nccl
        } else if cfg!(feature = "mpi") && place.launcher == Launcher::Mpirun {
            Backend::Mpi
        } else {
            Backend::Tcp
        }
    }
}

/// The other workers as far as this process answers for them. When it is dropped, those that it started are ended.
#[derive(Default)]
pub struct Team {
    /// The workers from number 1 on that this process started.
    started: Vec<Child>,
    #[cfg(feature = "mpi")]
    universe: Option<Universe>,
}

impl Team {
    /// Connects this worker to the others, which it starts first if nobody else does: processes of the same program with
    /// the same arguments.
    ///
    /// # Errors
    /// Workers that cannot be started or reached; a backend that this build or the device lacks.
    pub fn join(
        place: &Place,
        backend: Option<Backend>,
        device: &Device,
    ) -> Result<(Box<dyn Exchange>, Team)> {
        let mut team = Team::default();
        if place.workers < 2 {
            return Ok((Box::new(SingleWorker), team));
        }
        let exchange = match backend.unwrap_or_else(|| Backend::default_for(place, device)) {
            Backend::Tcp => team.connect(place)?,
            Backend::Mpi => team.connect_mpi(place)?,
            Backend::Nccl => connect_gpus(team.connect(place)?, device)?,
        };
        Ok((exchange, team))
    }

    #[cfg(feature = "mpi")]
    fn connect_mpi(&mut self, place: &Place) -> Result<Box<dyn Exchange>> {
        let (mpi, universe) = super::mpi::Mpi::connect(place)?;
        self.universe = Some(universe);
        Ok(Box::new(InRankOrder::new(mpi, place.local_rank)))
    }

    #[cfg(not(feature = "mpi"))]
    fn connect_mpi(&mut self, _: &Place) -> Result<Box<dyn Exchange>> {
        bail!("--backend mpi: this program was built without it; build it with --features mpi")
    }

    /// Connects this worker to the others by TCP.
    fn connect(&mut self, place: &Place) -> Result<Box<dyn Exchange>> {
        let Some((host, port)) = &place.meeting else {
            bail!(
                "{} workers were started, but no place for them to meet: set MASTER_ADDR and MASTER_PORT, or build the \
                 program with --features mpi and start it with mpirun",
                place.workers
            );
        };
        let mut place = place.clone();
        let meeting = Meeting::open(place.rank, host, *port)?;
        if place.launcher == Launcher::Own {
            place.key = getrandom::u64()?;
            self.start(&place, host, meeting.port())?;
        }
        let tcp = meeting.connect(&place, PATIENCE, || self.check())?;
        Ok(Box::new(InRankOrder::new(tcp, place.local_rank)))
    }

    /// Starts the other workers, with what torchrun would tell them.
    fn start(&mut self, place: &Place, host: &str, port: u16) -> Result<()> {
        let program =
            std::env::current_exe().context("--workers: cannot find the program to start it again")?;
        for rank in 1..place.workers {
            let variables = [
                ("RANK", rank.to_string()),
                ("LOCAL_RANK", rank.to_string()),
                ("WORLD_SIZE", place.workers.to_string()),
                ("LOCAL_WORLD_SIZE", place.workers.to_string()),
                ("MASTER_ADDR", host.to_owned()),
                ("MASTER_PORT", port.to_string()),
                (TEAM_KEY, format!("{:x}", place.key)),
            ];
            let mut command = Command::new(&program);
            command.args(std::env::args_os().skip(1)).envs(variables).stdin(Stdio::null());
            let child = command.spawn().with_context(|| format!("--workers: cannot start worker {rank}"))?;
            self.started.push(child);
        }
        Ok(())
    }

    /// Whether all that were started still run.
    fn check(&mut self) -> Result<()> {
        for (child, rank) in self.started.iter_mut().zip(1..) {
            if let Some(status) = child.try_wait()? {
                bail!("worker {rank} ended before all workers were there: {status}");
            }
        }
        Ok(())
    }

    /// Ends the other workers after an error of this one, which is given back. Under MPI, where a worker that ends would be
    /// waited for, it is printed, and the whole job ends here with status 2.
    #[must_use]
    pub fn give_up(self, error: Error) -> Error {
        #[cfg(feature = "mpi")]
        if let Some(universe) = &self.universe {
            output::note(&format!("error: {}", one_line(&error)));
            universe.world().abort(2);
        }
        error
    }

    /// Waits for the end of all workers that this process started.
    ///
    /// # Errors
    /// A system that cannot wait.
    pub fn end(mut self) -> Result<()> {
        for mut child in core::mem::take(&mut self.started) {
            child.wait()?;
        }
        Ok(())
    }
}

/// Has what lies on GPUs exchanged by them.
#[cfg(feature = "nccl")]
fn connect_gpus(others: Box<dyn Exchange>, device: &Device) -> Result<Box<dyn Exchange>> {
    Ok(Box::new(super::nccl::Nccl::connect(others, device)?))
}

#[cfg(not(feature = "nccl"))]
fn connect_gpus(_: Box<dyn Exchange>, _: &Device) -> Result<Box<dyn Exchange>> {
    bail!("--backend nccl: this program was built without it; build it with --features nccl")
}

impl Drop for Team {
    fn drop(&mut self) {
        for child in &mut self.started {
            // They write nothing that could be left half done: worker 0 does.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
