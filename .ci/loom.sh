#!/usr/bin/env bash
# The thread pool in every order that its threads can take (tests/loom).
cd "$(dirname "$0")/.." || exit
. .ci/lib.sh
(cd tests/loom && persist cargo fetch --locked --quiet && cargo fmt --check)
CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}/loom" \
  cargo test --locked --release --quiet --manifest-path tests/loom/Cargo.toml
