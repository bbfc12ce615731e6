//! AArch64.

use core::arch::{asm, global_asm};

use blockspan_engine::Kernels;
use blockspan_kernels::aarch64::{Dotprod, I8mm, Neon};

global_asm!(include_str!("aarch64.s"));

/// Bytes for models up to BERT-Base.
pub const WORKSPACE_LEN: usize = 2 << 20;

/// The semihosting call.
///
/// # Safety
/// `argument` must be what the operation wants.
pub unsafe fn trap(operation: usize, argument: usize) -> usize {
    let result;
    // SAFETY: the debugger (the emulator) reads what the caller vouches for, and changes nothing but x0.
    unsafe { asm!("hlt #0xf000", inout("x0") operation => result, in("x1") argument, options(nostack)) };
    result
}

/// The best kernels for the processor, by its identification registers: there is no operating system to ask.
pub fn best_kernels() -> &'static dyn Kernels {
    let (isar0, isar1): (u64, u64);
    // SAFETY: the program runs at EL1, where these registers may be read.
    unsafe {
        asm!("mrs {}, ID_AA64ISAR0_EL1", "mrs {}, ID_AA64ISAR1_EL1", out(reg) isar0, out(reg) isar1,
            options(nomem, nostack, preserves_flags));
    }
    let field = |register: u64, lowest: u32| register >> lowest & 0xf;
    let (dot_product, i8mm) = (field(isar0, 44) >= 1, field(isar1, 52) >= 1);
    // SAFETY: what the registers' fields DP and I8MM say.
    const DOTPROD: Dotprod = unsafe { Dotprod::new_unchecked() };
    // SAFETY: as above.
    const I8MM: I8mm = unsafe { I8mm::new_unchecked() };
    // SAFETY: every processor of this target has Advanced SIMD.
    const NEON: Neon = unsafe { Neon::new_unchecked() };
    match (dot_product, i8mm) {
        (true, true) => &I8MM,
        (true, false) => &DOTPROD,
        _ => &NEON,
    }
}
