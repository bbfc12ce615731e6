//! What libraries read from the environment when a process begins, set before it does.

/// What glibc is told. A training step allocates and frees the same blocks of some ten megabytes over and over; glibc gives
/// such blocks back to the system at once, so that the kernel clears their pages anew in every step. With this, freed
/// blocks are kept and large ones lie in huge pages: a training step is a fifth faster.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const TUNABLES: (&str, &str) = (
    "GLIBC_TUNABLES",
    "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=4000000000:glibc.malloc.trim_threshold=64000000000",
);

/// The number of threads. Without it candle reads the number of cores from `/proc/cpuinfo` anew for every product, whatever
/// cores the process may run on.
#[cfg(unix)]
const THREADS: &str = "RAYON_NUM_THREADS";

/// Replaces this process by one of the same program and arguments in whose environment these variables are set, those
/// that are not set already: `GLIBC_TUNABLES` where glibc allocates, and `RAYON_NUM_THREADS` to the share that each of
/// `sharing` processes gets of the cores that this one may use. Call it first, on the only thread. Does nothing where both
/// are set, where the program cannot be started again, and on systems that cannot replace a process.
pub fn set_environment(sharing: usize) {
    // Where nothing can be set there is nothing to share.
    let _ = sharing;
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        use std::process::Command;

        let mut variables: Vec<(&str, String)> = Vec::new();
        if let Ok(cores) = std::thread::available_parallelism() {
            variables.push((THREADS, (cores.get() / sharing.max(1)).max(1).to_string()));
        }
        #[cfg(all(target_os = "linux", target_env = "gnu"))]
        variables.push((TUNABLES.0, TUNABLES.1.to_owned()));
        variables.retain(|(name, _)| std::env::var_os(name).is_none());
        let mut arguments = std::env::args_os();
        if variables.is_empty() {
            return;
        }
        if let (Ok(program), Some(called)) = (std::env::current_exe(), arguments.next()) {
            // Returns only on failure, and then nothing is lost but speed.
            let _ = Command::new(program).arg0(called).args(arguments).envs(variables).exec();
        }
    }
}
