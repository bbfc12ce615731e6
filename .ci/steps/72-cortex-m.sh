# The scalar kernels on a Cortex-M4F and a Cortex-M55: the same bits as elsewhere, the latter's products in Helium.
. .ci/lib.sh

(cd tests/cortex-m && persist cargo +debian fetch --locked --quiet)
for target in thumbv7em-none-eabihf thumbv8m.main-none-eabihf; do
  echo "$target"
  (cd tests/cortex-m && timeout 300 \
    cargo +debian run --locked --release --quiet --target "$target" --target-dir "$CARGO_TARGET_DIR/cortex-m")
done

# Multiply-accumulates of a vector with a number (output blocks), and across a vector (input blocks and dense).
folder="$CARGO_TARGET_DIR/cortex-m/assembly"
cargo +debian rustc --locked --release --quiet --target thumbv8m.main-none-eabihf --target-dir "$folder" \
  -p blockspan-kernels --no-default-features --lib -- --emit asm
for instruction in vmla.i32 vmlava; do
  grep -rq --include 'blockspan_kernels*.s' "$instruction" "$folder" || fail "no $instruction in the kernels for Cortex-M55"
done
