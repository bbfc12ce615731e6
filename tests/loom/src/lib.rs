//! `blockspan_kernels::parallel::ThreadPool`, compiled with loom's threads, locks and atomics.
//!
//! ```sh
//! cargo test --release --manifest-path tests/loom/Cargo.toml
//! ```

use blockspan_kernels::parallel::{MAX_THREADS, Parallel};

#[path = "../../../kernels/src/parallel/pool.rs"]
mod pool;
mod sync;

pub use pool::ThreadPool;
