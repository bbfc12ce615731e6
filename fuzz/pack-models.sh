#!/usr/bin/env bash
# Packs the tiny models for the fuzz targets into fuzz/models/.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p fuzz/models
# Of the whole workspace, so that features and with them the build are those of the tests.
cargo build --locked --release --quiet --workspace --bin blockspan-trainer
for name in output-block input-block cased; do
  "${CARGO_TARGET_DIR:-target}/release/blockspan-trainer" \
    pack --model "fixtures/tiny/$name" --out "fuzz/models/$name.bspan" >/dev/null
done
