//! Answers a question on a board without an operating system, from a model in read-only memory, prints the answer
//! and every bit of its numbers to the debugger's console, and exits with a status.
#![no_std]
#![no_main]

mod board;
mod console;
mod demonstration;
mod stack;

use core::fmt::Write;

use console::{Console, exit};

/// A packed model must start at a multiple of 64 bytes.
#[repr(C, align(64))]
struct Aligned<T: ?Sized>(T);

static MODEL: &Aligned<[u8]> = &Aligned(*include_bytes!(env!(
    "BLOCKSPAN_MODEL",
    "set BLOCKSPAN_MODEL to the absolute path of a packed model, see README.md"
)));

static mut WORKSPACE: Aligned<[u8; board::WORKSPACE_LEN]> = Aligned([0; board::WORKSPACE_LEN]);

/// What the start code calls.
#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let workspace = &raw mut WORKSPACE;
    // SAFETY: the start code calls this once, nothing else names the workspace, and there are no threads.
    let workspace = unsafe { &mut (*workspace).0 };
    let kernels = board::best_kernels();
    let result = demonstration::run(&MODEL.0, workspace, kernels, &mut Console);
    let (used, len) = stack::high_water();
    let notes = writeln!(Console, "# kernels: {}\n# stack: {used} of {len} bytes", kernels.isa());
    #[cfg(feature = "panic")]
    assert!(used > len, "the control");
    exit(usize::from(result.is_err() || notes.is_err()));
}

/// What the start code calls for every exception: none is expected.
#[unsafe(no_mangle)]
extern "C" fn fault(cause: usize, address: usize) -> ! {
    let _ = writeln!(Console, "fault: cause {cause:#x}, address {address:#x}");
    exit(102)
}

/// Nothing calls it, as its absence from the image's symbols shows; the compiler wants one.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    exit(101)
}
