//! How deep the stack went: the start code fills it with a colour, and what lost the colour was used.

const COLOUR: u32 = 0xa5a5_a5a5;

unsafe extern "C" {
    // Symbols of the linker script; their addresses are what counts.
    static __stack_bottom: u32;
    static __stack_top: u32;
}

/// Bytes of the stack that were used so far, and of the whole stack. (A buffer that lay deepest and was never
/// written does not count.)
pub fn high_water() -> (usize, usize) {
    let (bottom, top) = (&raw const __stack_bottom, &raw const __stack_top);
    let len = top.addr() - bottom.addr();
    // SAFETY: the linker script reserves the bytes between the two symbols, aligned, and nothing takes a reference
    // to them. Volatile, since the compiler knows nothing of who wrote them.
    let coloured = (0..len / 4).take_while(|&i| unsafe { bottom.add(i).read_volatile() } == COLOUR);
    (len - 4 * coloured.count(), len)
}
