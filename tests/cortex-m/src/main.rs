//! Holds the kernels' bits on a Cortex-M against those of other machines.
#![no_std]
#![no_main]

extern crate alloc;

mod board;
#[path = "../../../kernels/tests/runner/mod.rs"]
mod runner;

use blockspan_kernels::scalar::Scalar;

fn main() {
    runner::fingerprint::check(&Scalar);
    board::print(format_args!("the same bits as elsewhere\n"));
}
