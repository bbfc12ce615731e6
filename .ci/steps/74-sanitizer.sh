# AddressSanitizer over the kernels of every instruction set of this machine, the engine's unit tests and what the C API
# must refuse. The C program's test is left out: it links a library without the sanitizer.
. .ci/lib.sh
rustup toolchain list | grep -q ^nightly || persist rustup toolchain install nightly --profile minimal
RUSTFLAGS=-Zsanitizer=address CARGO_TARGET_DIR="$CARGO_TARGET_DIR/asan" cargo +nightly test --locked --release --quiet \
  --target x86_64-unknown-linux-gnu -p blockspan-kernels -p blockspan-engine -p blockspan-capi \
  --lib --test same_bits --test matrix --test refusals --test contracts
