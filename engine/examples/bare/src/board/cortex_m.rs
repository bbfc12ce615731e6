//! Cortex-M4F and M55.

use core::arch::{asm, global_asm};

use blockspan_engine::Kernels;

global_asm!(include_str!("cortex_m.s"));

/// Bytes for the tiny model.
pub const WORKSPACE_LEN: usize = 96 << 10;

/// The semihosting call.
///
/// # Safety
/// `argument` must be what the operation wants.
pub unsafe fn trap(operation: usize, argument: usize) -> usize {
    let result;
    // SAFETY: the debugger (the emulator) reads what the caller vouches for, and changes nothing but r0.
    unsafe { asm!("bkpt #0xab", inout("r0") operation => result, in("r1") argument, options(nostack)) };
    result
}

/// The scalar kernels: the compiler makes of them what the processor has.
pub fn best_kernels() -> &'static dyn Kernels {
    blockspan_engine::best()
}
