# The kernels on older x86-64 CPUs: every instruction set against the scalar kernels, on emulated CPUs that have them.
# The emulator knows neither AVX-VNNI nor AVX-512: those are compared by the tests, on a machine that has them.
. .ci/lib.sh

export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER=qemu-x86_64
test=(cargo test --locked --release --quiet -p blockspan-kernels --test same_bits --)

# on CPU INSTRUCTION-SET...: compares these; the CPU must offer exactly them
on() {
  local cpu=$1; shift
  echo "$cpu: $*"
  QEMU_CPU=$cpu BLOCKSPAN_EXPECT_ISA="$*" "${test[@]}"
}
# offers CPU INSTRUCTION-SET...: no comparisons, only that the CPU offers exactly these
offers() {
  local cpu=$1; shift
  echo "$cpu offers $*"
  QEMU_CPU=$cpu BLOCKSPAN_EXPECT_ISA="$*" "${test[@]}" --exact the_instruction_sets_are_those_expected
}

# The emulator has no transactional memory and would warn of it.
haswell=Haswell,-hle,-rtm
on Nehalem scalar sse41
on $haswell scalar sse41 avx2
# Without one thing that an instruction set needs; the last: an operating system that does not save YMM registers.
offers Nehalem,-sse4.1 scalar
offers $haswell,-avx2 scalar sse41
offers $haswell,-f16c scalar sse41
offers $haswell,-xsave scalar sse41
