//! Which blocks of the encoder's matrices are kept, and when the others go.
//!
//! Embeddings, layer normalization and the head are never pruned. A pruned weight is exactly 0 and stays so: its
//! mask is part of the network's graph, so it receives no gradient.

mod linalg;
mod lock;
mod masks;
pub mod obs;
pub mod pattern;
mod pruner;
mod ramp;
mod score;

pub use lock::lock;
pub use masks::{Masks, apply, assert_pruned};
pub use pruner::{Plan, Pruner, Statistics, one_shot};
pub use ramp::Ramp;
pub use score::{Scope, Score, counts, magnitude};
