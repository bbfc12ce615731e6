//! Compares every instruction set of this build with the scalar kernels, by the comparisons of
//! `kernels/tests/runner`.
#![no_std]

extern crate alloc;

#[path = "../../../kernels/tests/runner/mod.rs"]
mod runner;

use alloc::string::ToString;
use core::panic::PanicInfo;

use blockspan_kernels::{available, kernels_for};

#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    /// The host's output: a line of UTF-8.
    safe fn print(text: *const u8, len: usize);
}

fn say(line: &str) {
    print(line.as_ptr(), line.len());
}

/// Names each instruction set after it was compared; traps at the first difference.
#[unsafe(no_mangle)]
pub extern "C" fn compare() {
    for kernels in available().filter_map(kernels_for) {
        runner::fingerprint::check(kernels);
        runner::everything(kernels);
        say(kernels.isa().name());
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    say(&info.to_string());
    core::arch::wasm32::unreachable()
}
