#!/usr/bin/env bash
# Removes or changes each check of operands and packed matrices in turn and runs the kernels' tests: a change that they
# do not notice is printed, and is a check without a test. Needs `cargo install --locked cargo-mutants`; some 20 minutes
# on two cores. Arguments go to cargo-mutants, for example `--re EmbedOperands`.
set -euo pipefail
cd "$(dirname "$0")/.."
# Without the vector kernels, which the checks know nothing of, a build takes seconds.
export RUSTFLAGS="--cfg miri" CARGO_PROFILE_DEV_OPT_LEVEL=0 CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=1
cargo mutants --package blockspan-kernels "$@"
