# The C program, for the host and for AArch64 under the emulator: both print the same lines, to the last digit.
. .ci/lib.sh

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
target=aarch64-unknown-linux-gnu

# compile COMPILER LIBRARIES OUT
compile() {
  "$1" -std=c11 -O2 -Wall -Wextra -Wpedantic -Werror -Ibindings/c/include bindings/c/examples/ask.c \
    "$2/libblockspan.a" -lpthread -ldl -lm -o "$3"
}

cargo build --locked --release -p blockspan-capi
compile cc "$CARGO_TARGET_DIR/release" "$scratch/ask"
cargo +debian build --locked --release --target "$target" -p blockspan-capi
compile aarch64-linux-gnu-gcc "$CARGO_TARGET_DIR/$target/release" "$scratch/ask-aarch64"

# A passage of one window, since an emulator is some fifty times slower than a processor, and of one line, since an
# answer is printed as it stands.
tr '\n' ' ' >"$scratch/passage" <<'TEXT'
The lighthouse of Alexandria was built in the third century BC. It was more than 100 metres high, for many centuries
among the tallest structures made by man. Three earthquakes between 956 and 1323 damaged it.
TEXT
questions=("How high was the lighthouse?" "When was it built?")
"$scratch/ask" fixtures/default.bspan "$scratch/passage" "${questions[@]}" | tee "$scratch/host"
[ "$(wc -l <"$scratch/host")" = 2 ] || fail "the C program printed no line for each question"
for cpu in cortex-a53 max; do
  QEMU_CPU=$cpu qemu-aarch64 -L /usr/aarch64-linux-gnu "$scratch/ask-aarch64" fixtures/default.bspan \
    "$scratch/passage" "${questions[@]}" >"$scratch/aarch64"
  diff "$scratch/host" "$scratch/aarch64" || fail "on AArch64 ($cpu) the C program prints other lines"
  echo "AArch64, $cpu: the same"
done
