#!/usr/bin/env bash
# Packs the smallest models for the fuzz targets into fuzz/models/ (tests/src/smallest.rs makes them).
set -euo pipefail
cd "$(dirname "$0")/.."
# Of the whole workspace, so that features and with them the build are those of the tests.
cargo build --locked --release --quiet --workspace --example smallest_models
"${CARGO_TARGET_DIR:-target}/release/examples/smallest_models" fuzz/models
