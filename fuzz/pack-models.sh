#!/usr/bin/env bash
# Packs the tiny models for the fuzz targets into fuzz/models/.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p fuzz/models
for name in output-block input-block cased; do
  cargo run --locked --release --quiet -p blockspan-trainer -- \
    pack --model "fixtures/tiny/$name" --out "fuzz/models/$name.bspan" >/dev/null
done
