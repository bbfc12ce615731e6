#!/usr/bin/env bash
# Miri, which finds undefined behavior that tests do not show, over the scalar kernels, the checks of their operands,
# packed matrices, the layout and what threads share. Under Miri the crate has no vector kernels (it knows no assembly),
# and the tests try fewer cases. Needs a nightly toolchain with the components miri and rust-src; minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
# The pool's threads spin, so Miri must let the others run; nothing here reads files, but tests print.
export MIRIFLAGS="${MIRIFLAGS:--Zmiri-disable-isolation}"
cargo +nightly miri test --locked -p blockspan-kernels --lib
# The comparisons between instruction sets have nothing to compare; what is left runs the scalar kernels.
cargo +nightly miri test --locked -p blockspan-kernels --test matrix --test validation
cargo +nightly miri test --locked -p blockspan-kernels --test same_bits -- every_kernel_refuses every_machine_gives
