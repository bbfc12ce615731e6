//! Which of several workers this process is, by what its launcher put into the environment.

use anyhow::{Context, Result, bail, ensure};
use blockspan_engine::xxh64;

/// A number that only the workers of one [`Team`](super::Team) know, in hexadecimal.
pub(super) const TEAM_KEY: &str = "BLOCKSPAN_TEAM_KEY";
/// Where workers meet by default: on their one machine.
const LOOPBACK: &str = "127.0.0.1";

/// Who started the workers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Launcher {
    /// Nobody yet: this process starts the others, on its machine.
    Own,
    /// `RANK`, `WORLD_SIZE` and their kin, as torchrun sets them.
    Torchrun,
    /// OpenMPI's `mpirun`.
    Mpirun,
    /// SLURM's `srun`.
    Srun,
}

/// Where a worker stands among the others.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// Its number, from 0.
    pub rank: usize,
    /// How many there are.
    pub workers: usize,
    /// Its number among those on its machine.
    pub local_rank: usize,
    /// How many of them share the cores that this process may use.
    pub sharing: usize,
    /// Who started them.
    pub launcher: Launcher,
    /// Where worker 0 listens: a name or an address, and a port.
    pub meeting: Option<(String, u16)>,
    /// The same for all workers of a run, and for no others.
    pub(super) key: u64,
}

impl Place {
    /// The only worker.
    pub fn alone() -> Self {
        Place {
            rank: 0,
            workers: 1,
            local_rank: 0,
            sharing: 1,
            launcher: Launcher::Own,
            meeting: None,
            key: 0,
        }
    }

    /// The place of this process; `workers` is how many `--workers` asks for.
    ///
    /// # Errors
    /// Variables that are no numbers or contradict each other; the message names them.
    pub fn find(workers: Option<usize>) -> Result<Self> {
        Self::in_environment(workers, &|name| std::env::var(name).ok())
    }

    fn in_environment(asked: Option<usize>, get: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        ensure!(asked != Some(0), "--workers 0: give at least 1");
        let place = if let Some(workers) = number(get, "WORLD_SIZE")? {
            Self::of_torchrun(workers, get)?
        } else if let Some(workers) = number(get, "OMPI_COMM_WORLD_SIZE")? {
            Self::of_mpirun(workers, get)?
        } else if let Some(workers) = number(get, "SLURM_STEP_NUM_TASKS")?.filter(|&workers| workers > 1) {
            Self::of_srun(workers, get)?
        } else {
            let workers = asked.unwrap_or(1);
            let meeting = Some((LOOPBACK.to_owned(), 0));
            return Ok(Place { workers, sharing: workers, meeting, ..Self::alone() });
        };
        ensure!(
            place.rank < place.workers,
            "the environment makes this worker number {} of {}: numbers begin at 0",
            place.rank,
            place.workers
        );
        ensure!(
            asked.is_none_or(|asked| asked == place.workers),
            "--workers {}: {} of them were started; leave the flag out",
            asked.unwrap_or(0),
            place.workers
        );
        Ok(place)
    }

    fn of_torchrun(workers: usize, get: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        let rank = number(get, "RANK")?.context("WORLD_SIZE is set, but RANK is not; set both or none")?;
        let team = get(TEAM_KEY).and_then(|key| u64::from_str_radix(&key, 16).ok());
        // torchrun may listen at MASTER_PORT itself.
        let run = get("TORCHELASTIC_RUN_ID");
        let attempt = get("TORCHELASTIC_RESTART_COUNT").unwrap_or_default();
        let port = port(get)?.map(|port| if run.is_some() { port.wrapping_add(1) } else { port });
        Ok(Place {
            rank,
            workers,
            local_rank: number(get, "LOCAL_RANK")?.unwrap_or(rank),
            sharing: number(get, "LOCAL_WORLD_SIZE")?.unwrap_or(1).max(1),
            launcher: Launcher::Torchrun,
            meeting: get("MASTER_ADDR").zip(port),
            key: team.unwrap_or_else(|| key_of(&format!("{} {attempt}", run.unwrap_or_default()))),
        })
    }

    fn of_mpirun(workers: usize, get: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        let rank = number(get, "OMPI_COMM_WORLD_RANK")?.context("OMPI_COMM_WORLD_RANK is not set")?;
        Ok(Place {
            rank,
            workers,
            local_rank: number(get, "OMPI_COMM_WORLD_LOCAL_RANK")?.unwrap_or(rank),
            // mpirun binds processes to cores of their own.
            sharing: 1,
            launcher: Launcher::Mpirun,
            meeting: get("MASTER_ADDR").zip(port(get)?),
            key: key_of(&get("OMPI_MCA_ess_base_jobid").unwrap_or_default()),
        })
    }

    fn of_srun(workers: usize, get: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        let rank =
            number(get, "SLURM_PROCID")?.context("SLURM_STEP_NUM_TASKS is set, but SLURM_PROCID is not")?;
        let (job, step) =
            (number(get, "SLURM_JOB_ID")?.unwrap_or(0), number(get, "SLURM_STEP_ID")?.unwrap_or(0));
        let one_node = number(get, "SLURM_STEP_NUM_NODES")? == Some(1);
        let host = get("MASTER_ADDR").or_else(|| one_node.then(|| LOOPBACK.to_owned()));
        let host = host.context(
            "srun started workers on several nodes; before it, export MASTER_ADDR=$(scontrol show hostnames \
             \"$SLURM_JOB_NODELIST\" | head -n 1)",
        )?;
        // Another port for every step, the same on every node.
        let default = 20_000 + ((job * 31 + step) % 10_000) as u16;
        Ok(Place {
            rank,
            workers,
            local_rank: number(get, "SLURM_LOCALID")?.unwrap_or(rank),
            // srun gives each task cores of its own.
            sharing: 1,
            launcher: Launcher::Srun,
            meeting: Some((host, port(get)?.unwrap_or(default))),
            key: key_of(&format!("slurm {job} {step}")),
        })
    }
}

fn key_of(run: &str) -> u64 {
    xxh64(run.as_bytes())
}

/// A variable that holds a number, if it is set.
fn number(get: &dyn Fn(&str) -> Option<String>, name: &str) -> Result<Option<usize>> {
    let Some(text) = get(name) else { return Ok(None) };
    match text.trim().parse() {
        Ok(number) => Ok(Some(number)),
        Err(_) => bail!("the environment variable {name} is {text:?}, not a number"),
    }
}

fn port(get: &dyn Fn(&str) -> Option<String>) -> Result<Option<u16>> {
    let Some(port) = number(get, "MASTER_PORT")? else { return Ok(None) };
    u16::try_from(port).map(Some).ok().with_context(|| format!("MASTER_PORT {port}: give a port up to 65535"))
}

#[cfg(test)]
mod tests {
    use super::{Launcher, Place};

    fn find(asked: Option<usize>, variables: &str) -> anyhow::Result<Place> {
        Place::in_environment(asked, &|name| {
            let mut pairs = variables.split_whitespace().filter_map(|pair| pair.split_once('='));
            Some(pairs.find(|(key, _)| *key == name)?.1.to_owned())
        })
    }

    #[test]
    fn launchers_are_told_by_their_variables() -> anyhow::Result<()> {
        let at = |host: &str, port| Some((host.to_owned(), port));
        let torchrun = "RANK=3 WORLD_SIZE=4 LOCAL_RANK=1 LOCAL_WORLD_SIZE=2 MASTER_ADDR=a MASTER_PORT=29500";
        let ompi = "OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_LOCAL_RANK=1";
        let slurm = "SLURM_PROCID=2 SLURM_STEP_NUM_TASKS=4 SLURM_LOCALID=0 SLURM_JOB_ID=7 SLURM_STEP_ID=1";
        let cases = [
            (torchrun.to_owned(), Launcher::Torchrun, (3, 4, 1, 2), at("a", 29500)),
            // The agent has the port itself.
            (format!("{torchrun} TORCHELASTIC_RUN_ID=x"), Launcher::Torchrun, (3, 4, 1, 2), at("a", 29501)),
            (ompi.to_owned(), Launcher::Mpirun, (1, 2, 1, 1), None),
            (format!("{ompi} MASTER_ADDR=b MASTER_PORT=5"), Launcher::Mpirun, (1, 2, 1, 1), at("b", 5)),
            // mpirun within a job of SLURM.
            (format!("{slurm} {ompi}"), Launcher::Mpirun, (1, 2, 1, 1), None),
            (format!("{slurm} SLURM_STEP_NUM_NODES=1"), Launcher::Srun, (2, 4, 0, 1), at("127.0.0.1", 20218)),
            (
                format!("{slurm} SLURM_STEP_NUM_NODES=2 MASTER_ADDR=n1"),
                Launcher::Srun,
                (2, 4, 0, 1),
                at("n1", 20218),
            ),
            // A batch script of several tasks that calls the program without srun.
            ("SLURM_PROCID=0 SLURM_NTASKS=4".to_owned(), Launcher::Own, (0, 1, 0, 1), at("127.0.0.1", 0)),
        ];
        for (variables, launcher, numbers, meeting) in cases {
            let place = find(None, &variables)?;
            let found = (place.rank, place.workers, place.local_rank, place.sharing);
            assert_eq!((place.launcher, found, place.meeting), (launcher, numbers, meeting), "{variables}");
        }
        let own = find(Some(4), "")?;
        assert_eq!((own.rank, own.workers, own.sharing), (0, 4, 4));
        // Another attempt of a restarted job is another run.
        let attempt =
            |n| find(None, &format!("{torchrun} TORCHELASTIC_RUN_ID=x TORCHELASTIC_RESTART_COUNT={n}"));
        assert_ne!(attempt(0)?.key, attempt(1)?.key);
        assert_eq!(attempt(1)?.key, attempt(1)?.key);
        Ok(())
    }

    #[test]
    fn contradictions_are_refused() {
        for (asked, variables, part) in [
            (Some(0), "", "--workers 0"),
            (Some(3), "RANK=0 WORLD_SIZE=2", "--workers 3: 2 of them were started"),
            (None, "RANK=2 WORLD_SIZE=2", "number 2 of 2"),
            (None, "WORLD_SIZE=2", "RANK is not"),
            (None, "RANK=x WORLD_SIZE=2", "RANK is \"x\", not a number"),
            (None, "RANK=0 WORLD_SIZE=2 MASTER_PORT=65536", "MASTER_PORT 65536"),
            (None, "SLURM_PROCID=0 SLURM_STEP_NUM_TASKS=2 SLURM_STEP_NUM_NODES=2", "MASTER_ADDR"),
        ] {
            let message = format!("{:#}", find(asked, variables).expect_err(variables));
            assert!(message.contains(part), "{variables}: {message}");
        }
    }
}
