//! The debugger's console and the end of the program, by semihosting (ARM's specification, version 3).

use core::fmt;

use crate::board;

const SYS_WRITE0: usize = 0x04;
const SYS_EXIT_EXTENDED: usize = 0x20;
/// The reason of [`SYS_EXIT_EXTENDED`]: the application ended, its status follows.
const APPLICATION_EXIT: usize = 0x20026;

/// Writes to the debugger's console.
pub struct Console;

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // Text that ends in a zero, a piece at a time.
        for piece in text.as_bytes().chunks(63) {
            let mut line = [0u8; 64];
            line.iter_mut().zip(piece).for_each(|(slot, &byte)| *slot = byte);
            // SAFETY: the operation reads text up to a zero; the piece is shorter than the line.
            unsafe { board::trap(SYS_WRITE0, line.as_ptr().addr()) };
        }
        Ok(())
    }
}

/// Ends the program with a status.
pub fn exit(status: usize) -> ! {
    let block = [APPLICATION_EXIT, status];
    // SAFETY: the operation reads these two words.
    unsafe { board::trap(SYS_EXIT_EXTENDED, block.as_ptr().addr()) };
    loop {
        core::hint::spin_loop();
    }
}
