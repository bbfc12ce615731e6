//! The engine as a WebAssembly module without imports: one instance holds one model and answers with it.
//!
//! The host, `bindings/js/src/engine.js`, calls in this order:
//!
//! 1. [`reserve_model`] with the file's length, and once more whenever it turns out to be longer; it writes the file to
//!    the address that it gets;
//! 2. [`open_model`] once, and reads [`model_info`];
//! 3. for each question [`reserve_texts`], writes the question and behind it the passage, both UTF-8, to the address
//!    that it gets; [`answer`], and reads [`reply`].
//!
//! A call that returns a [`Status`] other than `Ok` leaves its reason in [`message`]. Structures are `repr(C)`,
//! little-endian as all of WebAssembly's memory, and stay as they are until the next call.
//!
//! There is no allocator: the model, the workspace and the texts lie one after the other in the memory that the module
//! grows by and that nothing else uses.
#![no_std]

#[cfg(not(target_feature = "simd128"))]
compile_error!("build with -C target-feature=+simd128, as .cargo/config.toml does when RUSTFLAGS is not set");
#[cfg(target_feature = "atomics")]
compile_error!("this module is for one thread: `single` depends on it");

mod info;
mod line;
mod memory;
mod model;
mod reply;
mod single;
mod status;

pub use info::{Info, model_info};
pub use line::message;
pub use memory::{reserve_model, reserve_texts};
pub use model::{answer, open_model};
pub use reply::{Found, Reply, reply};
pub use status::Status;

/// Nothing calls it, as the absence of panics from the module's symbols shows; the compiler wants one.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
