# The kernels on AArch64: every instruction set against the scalar kernels, on emulated CPUs that have them.
. .ci/lib.sh

test=(cargo +debian test --locked --release --quiet --target aarch64-unknown-linux-gnu -p blockspan-kernels)
"${test[@]}" --lib

# on CPU INSTRUCTION-SET...: compares these; the CPU must offer exactly them
on() {
  local cpu=$1; shift
  echo "$cpu: $*"
  QEMU_CPU=$cpu BLOCKSPAN_EXPECT_ISA="$*" "${test[@]}" --test same_bits
}
on cortex-a53 scalar neon
on cortex-a76 scalar neon dotprod
on neoverse-v1 scalar neon dotprod i8mm
on max scalar neon dotprod i8mm
