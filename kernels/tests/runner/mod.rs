//! Runs one instruction set's kernels beside the scalar ones and demands the same bits.
//!
//! Needs `alloc` only, and takes any [`Kernels`], so that a target without a test harness can call
//! [`everything`] from a program of its own. The root of that program says `extern crate alloc`.
#![allow(dead_code, reason = "each test program uses a part")]

pub mod fingerprint;
pub mod floats;
pub mod products;
pub mod random;
pub mod refusals;

use blockspan_kernels::Kernels;

/// Lanes of a tile.
pub const LANES: [usize; 4] = [16, 32, 48, 64];

/// All comparisons.
pub fn everything(kernels: &dyn Kernels) {
    products::output_block(kernels);
    products::input_block(kernels);
    products::dense(kernels);
    products::scores_of_any_size(kernels);
    floats::absmax(kernels);
    floats::quantize(kernels);
    floats::channels(kernels);
    floats::layer_norm(kernels);
    floats::embed(kernels);
    floats::linear(kernels);
    refusals::check(kernels);
}

/// Fails unless both hold the same bits (any NaN equals any other).
#[track_caller]
pub fn assert_same_bits(expected: &[f32], got: &[f32], case: &dyn core::fmt::Debug) {
    assert_eq!(expected.len(), got.len(), "{case:?}");
    for (i, (e, g)) in expected.iter().zip(got).enumerate() {
        let same = e.to_bits() == g.to_bits() || e.is_nan() && g.is_nan();
        assert!(same, "{case:?}: element {i} is {g:e}, the scalar kernel gives {e:e}");
    }
}
