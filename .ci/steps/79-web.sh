# The npm package and its page: compiled, without code that can panic, installed from its tarball, and tried in Node and in
# Chromium.
. .ci/lib.sh

missing=()
for tool in node:nodejs npm:npm chromium:chromium python3:python3; do
  command -v "${tool%:*}" >/dev/null || missing+=("${tool#*:}")
done
if [ ${#missing[@]} -gt 0 ]; then
  install_packages "${missing[@]}"
fi

cd bindings/js
persist npm ci --silent
if grep -q '"resolved"' package-lock.json; then fail "package-lock.json names registries; see .npmrc"; fi
(cd wasm && persist cargo +debian fetch --locked --quiet)

echo "--- the module"
(cd wasm && cargo fmt --check)
(cd wasm && cargo +debian clippy --locked --release --quiet --target wasm32-unknown-unknown \
  --target-dir "$CARGO_TARGET_DIR/js" -- -D warnings)
RUSTUP_TOOLCHAIN=debian npm run --silent build

llvm=$(rustc +debian -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
symbols=$("llvm-nm-$llvm" "$CARGO_TARGET_DIR/js/wasm32-unknown-unknown/release/blockspan_wasm.wasm")
grep -q 16blockspan_engine <<<"$symbols" || fail "cannot read the symbols of blockspan_wasm.wasm"
if grep -E 'rust_begin_unwind|9panicking|slice_index_fail' <<<"$symbols"; then
  fail "the code for panics is linked in; some code above can panic"
fi
(cd wasm && cargo +debian metadata --locked --format-version 1) | python3 ../../.ci/licenses.py ../../deny.toml
(cd wasm && cargo +debian tree --locked --quiet --edges normal --prefix none --format '{p}') | cut -d' ' -f1 | sort -u | xargs

echo "--- types and tests"
npm run --silent types
npm test --silent
