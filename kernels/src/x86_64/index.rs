//! Column indices.

use core::arch::asm;

/// The four indices of a tile, times `1 << SHIFT`: where their rows begin.
///
/// In assembly because LLVM would otherwise scale them in a vector register and take them out one by one: work for the
/// very ports that multiply. One load instead of four leaves the load ports to the rows.
///
/// # Safety
/// `from` must be valid for reads of 4 elements.
#[inline(always)]
pub(super) unsafe fn row_offsets<const SHIFT: u32>(from: *const u16) -> [usize; 4] {
    let (a, b, c, d): (usize, usize, usize, usize);
    // SAFETY: one read of eight bytes, for which the caller vouches. Writing half a register clears its upper half.
    unsafe {
        asm!(
            "mov {d}, qword ptr [{from}]",
            "movzx {a:e}, {d:x}",
            "shl {a:e}, {shift}",
            "mov {b}, {d}",
            "shr {b}, {shift16}",
            "and {b:e}, {mask}",
            "mov {c}, {d}",
            "shr {c}, {shift32}",
            "and {c:e}, {mask}",
            "shr {d}, {shift48}",
            "and {d:e}, {mask}",
            from = in(reg) from,
            a = out(reg) a,
            b = out(reg) b,
            c = out(reg) c,
            d = out(reg) d,
            shift = const SHIFT,
            shift16 = const 16 - SHIFT,
            shift32 = const 32 - SHIFT,
            shift48 = const 48 - SHIFT,
            mask = const 0xffff << SHIFT,
            options(pure, readonly, nostack),
        );
    }
    [a, b, c, d]
}
