//! What differs between the boards: start code, the trap to the debugger, the choice of kernels.

#[cfg_attr(target_arch = "aarch64", path = "aarch64.rs")]
#[cfg_attr(target_arch = "arm", path = "cortex_m.rs")]
mod processor;

pub use processor::{WORKSPACE_LEN, best_kernels, trap};
