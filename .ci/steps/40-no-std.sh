# The kernels and the engine build where there is no operating system, and never ask for an allocator.
. .ci/lib.sh

for target in aarch64-unknown-none thumbv7em-none-eabihf; do
  cargo +debian build --locked --release --target "$target" \
    -p blockspan-kernels -p blockspan-engine --no-default-features
done

# These targets have no std, but they have alloc. A use of it shows in the symbols that a library wants from others:
# the allocator's, or those of crate alloc (5alloc, as symbol names spell it).
libraries="$CARGO_TARGET_DIR/aarch64-unknown-none/release"
for name in kernels engine; do
  symbols=$(aarch64-linux-gnu-nm "$libraries/libblockspan_$name.rlib" 2>/dev/null)
  grep -q "blockspan_$name" <<<"$symbols" || fail "cannot read the symbols of blockspan-$name"
  if grep -E '__rust_(no_)?alloc|__rust_(de|re)alloc|[_N]5alloc[0-9]' <<<"$symbols"; then
    fail "blockspan-$name uses the allocator, see the symbols above"
  fi
done
