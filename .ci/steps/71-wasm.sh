# The kernels in WebAssembly, with and without SIMD, in Node.
. .ci/lib.sh

command -v node >/dev/null || install_packages nodejs
(cd tests/wasm && persist cargo +debian fetch --locked --quiet)

# run FLAGS INSTRUCTION-SET...: builds the comparisons with these flags and expects them for these instruction sets
run() {
  local flags=$1 folder; shift
  folder="$CARGO_TARGET_DIR/wasm-${*: -1}"
  (cd tests/wasm && RUSTFLAGS=$flags \
    cargo +debian build --locked --release --quiet --target wasm32-unknown-unknown --target-dir "$folder")
  node tests/wasm/run.mjs "$folder/wasm32-unknown-unknown/release/blockspan_wasm_tests.wasm" "$@"
}
run "" scalar
run "-C target-feature=+simd128" scalar simd128
