//! The arithmetic of blockspan: block-sparse and dense int8 matrix products and token-lane vector functions.
//!
//! * [`layout`]: how activations lie in memory (tiles of tokens, tokens in the lanes);
//! * [`matrix`]: packed block-sparse weight matrices and their validation;
//! * [`math`]: exp, GELU and square root with the same bits everywhere;
//! * [`Kernels`]: the operations, with [`scalar`] as their definition and one module per instruction set;
//! * `dense_bf16` (feature `std`): products of f32 matrices rounded to bf16, for training;
//! * [`parallel`]: the hook through which work is spread over threads.
//!
//! Every reduction over features or keys runs down a loop while the lanes of a vector hold different tokens, so
//! the order of every floating-point operation is the same for every vector width. No fused multiply-add is
//! used. Hence each module gives the bits of the scalar one.
//!
//! No std and no alloc without the features of those names.
#![no_std]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

#[cfg(target_endian = "big")]
compile_error!("packed files are used in place and are little-endian");

/// Items for targets whose vector instructions the crate uses. Miri has no assembly, so it sees the scalar kernels only.
macro_rules! with_vectors {
    ($($item:item)*) => {$(
        #[cfg(all(
            any(
                target_arch = "x86_64",
                all(target_arch = "aarch64", target_feature = "neon"),
                all(target_arch = "wasm32", target_feature = "simd128")
            ),
            not(miri)
        ))]
        $item
    )*};
}

#[cfg(all(target_arch = "aarch64", target_feature = "neon", not(miri)))]
pub mod aarch64;
#[cfg(feature = "std")]
pub mod dense_bf16;
mod dispatch;
mod implementation;
mod isa;
mod kernels;
pub mod layout;
pub mod math;
pub mod matrix;
mod operands;
pub mod parallel;
#[cfg(feature = "std")]
pub mod peak;
#[cfg(any(
    all(target_arch = "aarch64", target_feature = "neon", not(miri)),
    all(target_arch = "wasm32", target_feature = "simd128")
))]
mod products128;
pub mod scalar;
mod trusted;
// Not by the macro, inside which rustfmt does not find files.
#[cfg(all(
    any(
        target_arch = "x86_64",
        all(target_arch = "aarch64", target_feature = "neon"),
        all(target_arch = "wasm32", target_feature = "simd128")
    ),
    not(miri)
))]
mod vector;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub mod wasm32;
#[cfg(all(target_arch = "x86_64", not(miri)))]
pub mod x86_64;

pub use dispatch::{available, best, kernels_for};
pub use implementation::kernel_names;
pub use isa::Isa;
pub use kernels::Kernels;
pub use operands::{DenseRows, Embeddings, Epilogue, ShapeError, Table};
pub use trusted::Trusted;

/// Tests the README's example.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
