# The fuzz targets build, and every case of their corpora passes; with overflow checks and debug assertions, on the
# stable compiler and so without a sanitizer. (fuzz/README.md tells how to look for new cases.)
. .ci/lib.sh
fuzz/pack-models.sh
CARGO_TARGET_DIR="$CARGO_TARGET_DIR/fuzz" cargo build --locked --release --manifest-path fuzz/Cargo.toml
for target in answer tokenizer c_api index; do
  "$CARGO_TARGET_DIR/fuzz/release/$target" fuzz/corpus/$target/* >"$CARGO_TARGET_DIR/fuzz/$target.log" 2>&1 ||
    { tail -30 "$CARGO_TARGET_DIR/fuzz/$target.log"; fail "the fuzz target $target fails, see above"; }
  echo "$target: $(ls fuzz/corpus/$target | wc -l) cases"
done
