# The demonstration for bare boards (engine/examples/bare): its images print what the host prints, bit for bit, hold
# no code for panics, and this is their size.
. .ci/lib.sh

demonstration=engine/examples/bare
boards=(aarch64-unknown-none thumbv7em-none-eabihf thumbv8m.main-none-eabihf)
llvm=$(rustc +debian -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# image TARGET MODEL [CARGO-OPTION...]: builds it and sets $image to its path
image() {
  local target=$1 model=$2; shift 2
  (cd $demonstration && BLOCKSPAN_MODEL=$model cargo +debian build --locked --release --quiet --target "$target" "$@")
  image=$CARGO_TARGET_DIR/$target/release/blockspan-bare
}

# panics: the symbols of $image through which a panic would go
panics() {
  "llvm-nm-$llvm" "$image" >"$scratch/symbols"
  grep -q 16blockspan_engine "$scratch/symbols" || fail "cannot read the symbols of $image"
  grep -E 'rust_begin_unwind|9panicking|slice_index_fail' "$scratch/symbols"
}

# sizes MODEL: of $image; text is code and constants, with the model, and bss workspace and stack
sizes() {
  local text data bss model
  read -r text data bss _ < <("llvm-size-$llvm" "$image" | tail -1)
  model=$(stat -c %s "$1")
  echo "$target: text $text (model $model, code and other constants $((text - model))), data $data, bss $bss"
}

# on_host MODEL
on_host() {
  "$CARGO_TARGET_DIR/release/examples/demonstration" "$1" | grep -v '^#' >"$scratch/host"
  [ "$(grep -c '^token' "$scratch/host")" = 64 ] || fail "the host's demonstration did not print a whole window"
}

# on_board KERNELS QEMU-AND-ITS-BOARD...: runs $image, compares, and expects these kernels
on_board() {
  local kernels=$1; shift
  timeout 300 "$@" -nographic -semihosting-config enable=on,target=native -kernel "$image" \
    >"$scratch/board" 2>&1 || { cat "$scratch/board"; fail "the image failed: $*"; }
  grep -v '^#' "$scratch/board" | diff "$scratch/host" - || fail "other lines than the host's: $*"
  grep -qx "# kernels: $kernels" "$scratch/board" || fail "other kernels than $kernels: $*"
  echo "${*: -1}: the host's bits; $(sed -n 's/^# //p' "$scratch/board" | paste -sd, | sed 's/,/, /g')"
}
m() { on_board scalar qemu-system-arm -machine "$1"; }
virt() { on_board "$1" qemu-system-aarch64 -m 64M -nic none -machine virt -cpu "$2"; }

(cd $demonstration && persist cargo +debian fetch --locked --quiet && cargo fmt --check)
for target in "${boards[@]}"; do
  (cd $demonstration && BLOCKSPAN_MODEL=$PWD/README.md \
    cargo +debian clippy --locked --release --quiet --target "$target" -- -D warnings)
done
# Of the whole workspace, so that features and with them the builds are those of the tests.
cargo build --locked --release --quiet --workspace --example demonstration
cargo build --locked --release --quiet --workspace --bin blockspan-trainer
"$CARGO_TARGET_DIR/release/blockspan-trainer" \
  pack --model fixtures/tiny/output-block --out "$scratch/tiny.bspan" >"$scratch/pack"

on_host "$scratch/tiny.bspan"
sed 5q "$scratch/host"
for target in "${boards[@]}"; do
  # The check sees a panic where there is one, and the image reports it.
  image "$target" "$scratch/tiny.bspan" --features panic
  panics >/dev/null || fail "the check for panics finds nothing in an image that has one: $target"

  image "$target" "$scratch/tiny.bspan"
  if panics; then fail "$target: the code for panics is linked in; some code above can panic"; fi
  sizes "$scratch/tiny.bspan"
  case $target in
    aarch64-*)
      virt neon cortex-a53
      virt dotprod cortex-a76
      virt i8mm max ;;
    thumbv7em-*) m mps2-an386 ;;
    thumbv8m*) m mps3-an547 ;;
  esac
done

# The default model fits the larger board.
on_host fixtures/default.bspan
image aarch64-unknown-none "$PWD/fixtures/default.bspan"
virt neon cortex-a53
virt i8mm max
