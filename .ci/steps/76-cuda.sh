# The trainer, and candle's side of CUDA that it is built with, type-check with its optional features: nccl, which holds cuda,
# and mpi. That needs no toolkit and no GPU: a stand-in for NVIDIA's compiler leaves candle's kernels empty, and nothing is
# linked or run. The kernels are another project's and change with its version only; .ci/cuda-kernels.sh compiles them, and
# says here which it compiled.
. .ci/lib.sh
install_mpi

KERNELS_COMPILED=0.11.1 # with CUDA 13.0

kernels=$(sed -n '/^name = "candle-kernels"$/{n;s/^version = "\(.*\)"$/\1/p}' Cargo.lock)
[ "$kernels" = "$KERNELS_COMPILED" ] || fail "Cargo.lock has candle-kernels $kernels, but $KERNELS_COMPILED is what was \
compiled; run .ci/cuda-kernels.sh, then set KERNELS_COMPILED in $0"

toolkit=$CARGO_TARGET_DIR/no-cuda
mkdir -p "$toolkit/bin" "$toolkit/include" "$toolkit/lib64"
cat >"$toolkit/bin/nvcc" <<'STANDIN'
#!/usr/bin/env bash
# Makes the files that it is asked for, empty.
for argument; do
  case "${previous:-}" in
    -o) : >"$argument" ;;
    --output-directory) folder=$argument ;;
  esac
  previous=$argument
done
case "$previous" in
  *.cu) [ -z "${folder:-}" ] || : >"$folder/$(basename "$previous" .cu).ptx" ;;
esac
STANDIN
chmod +x "$toolkit/bin/nvcc"

# Empty kernels must not stay where a build for a GPU would take them for its own.
forget() { cargo clean --locked --release --quiet -p candle-kernels; }
forget
trap forget EXIT

export NVCC=$toolkit/bin/nvcc CUDA_HOME=$toolkit CUDA_COMPUTE_CAP=80 CUDARC_CUDA_VERSION=13000
export CUDA_PATH=$CUDA_HOME CUDA_ROOT=$CUDA_HOME CUDA_TOOLKIT_ROOT_DIR=$CUDA_HOME
cargo clippy --locked --release --quiet -p blockspan-trainer --all-targets --features nccl,mpi -- -D warnings
