//! Where the rows of activations begin that a tile or some blocks name.
//!
//! In assembly because LLVM would otherwise scale indices in a vector register and take them out one by one: work for
//! the very ports that multiply. One load instead of four leaves the load ports to the rows.

use core::arch::asm;

/// Four distances between columns, summed up and times `1 << SHIFT`: where a tile's rows begin, from that of the column
/// before on.
///
/// # Safety
/// `deltas` must be valid for reads of 4 bytes.
#[inline(always)]
pub(super) unsafe fn tile_rows<const SHIFT: u32>(deltas: *const u8) -> [usize; 4] {
    let (a, b, c, d): (usize, usize, usize, usize);
    // SAFETY: one read of four bytes, for which the caller vouches. Writing half a register clears its upper half.
    unsafe {
        asm!(
            "mov {d:e}, dword ptr [{from}]",
            "movzx {a:e}, {d:l}",
            "shl {a:e}, {shift}",
            "mov {b:e}, {d:e}",
            "shr {b:e}, {shift8}",
            "and {b:e}, {mask}",
            "add {b:e}, {a:e}",
            "mov {c:e}, {d:e}",
            "shr {c:e}, {shift16}",
            "and {c:e}, {mask}",
            "add {c:e}, {b:e}",
            "shr {d:e}, {shift24}",
            "and {d:e}, {mask}",
            "add {d:e}, {c:e}",
            from = in(reg) deltas,
            a = out(reg) a,
            b = out(reg) b,
            c = out(reg) c,
            d = out(reg) d,
            shift = const SHIFT,
            shift8 = const 8 - SHIFT,
            shift16 = const 16 - SHIFT,
            shift24 = const 24 - SHIFT,
            mask = const 0xff << SHIFT,
            options(pure, readonly, nostack),
        );
    }
    [a, b, c, d]
}

/// The same as [`tile_rows`] in fewer instructions: the bytes spread to 16 bits each, and summed up by a multiplication.
///
/// # Safety
/// As for [`tile_rows`]; the CPU must have BMI2.
#[inline(always)]
pub(super) unsafe fn tile_rows_bmi2<const SHIFT: u32>(deltas: *const u8) -> [usize; 4] {
    let (a, b, c, d): (usize, usize, usize, usize);
    // SAFETY: as above.
    unsafe {
        asm!(
            "mov {d:e}, dword ptr [{from}]",
            "pdep {d}, {d}, {spread}",
            "imul {d}, {ones}",
            "movzx {a:e}, {d:x}",
            "rorx {b}, {d}, 16",
            "movzx {b:e}, {b:x}",
            "rorx {c}, {d}, 32",
            "movzx {c:e}, {c:x}",
            "shr {d}, 48",
            from = in(reg) deltas,
            spread = in(reg) 0x00ff_00ff_00ff_00ff_u64 << SHIFT,
            ones = in(reg) 0x0001_0001_0001_0001_u64,
            a = out(reg) a,
            b = out(reg) b,
            c = out(reg) c,
            d = out(reg) d,
            options(pure, readonly, nostack),
        );
    }
    [a, b, c, d]
}

/// Four indices times `1 << SHIFT`: where the rows of four blocks begin.
///
/// # Safety
/// `indices` must be valid for reads of 4 bytes.
#[inline(always)]
pub(super) unsafe fn block_rows<const SHIFT: u32>(indices: *const u8) -> [usize; 4] {
    let (a, b, c, d): (usize, usize, usize, usize);
    // SAFETY: as above.
    unsafe {
        asm!(
            "mov {d:e}, dword ptr [{from}]",
            "movzx {a:e}, {d:l}",
            "shl {a:e}, {shift}",
            "movzx {b:e}, {d:x}",
            "shr {b:e}, 8",
            "shl {b:e}, {shift}",
            "mov {c:e}, {d:e}",
            "shr {c:e}, {shift16}",
            "and {c:e}, {mask}",
            "shr {d:e}, 24",
            "shl {d:e}, {shift}",
            from = in(reg) indices,
            a = out(reg) a,
            b = out(reg) b,
            c = out(reg) c,
            d = out(reg) d,
            shift = const SHIFT,
            shift16 = const 16 - SHIFT,
            mask = const 0xff << SHIFT,
            options(pure, readonly, nostack),
        );
    }
    [a, b, c, d]
}
