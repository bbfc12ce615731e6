#!/usr/bin/env bash
# Compiles those of candle's CUDA kernels that the trainer uses, with the compiler from NVIDIA's packages for Python
# (270 MB). No GPU is needed and nothing is run. No step of .ci/run: it takes minutes, and its outcome changes with
# candle's version only. Run it when that changes, and tell .ci/steps/76-cuda.sh.
cd "$(dirname "$0")/.."
. .ci/lib.sh

# One release of the toolkit: with mixed ones its headers do not fit each other.
WHEELS=("nvidia-cuda-"{nvcc,crt,nvrtc}"==13.0.88" "nvidia-nvvm==13.0.88" nvidia-cuda-runtime==13.0.96
  nvidia-cuda-cccl==13.0.85 nvidia-curand==10.4.0.35)
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}"
toolkit=$CARGO_TARGET_DIR/cuda-13.0

if [ ! -e "$toolkit/complete" ]; then
  rm -rf "$toolkit"
  mkdir -p "$toolkit/wheels"
  persist python3 -m pip download --quiet --no-deps --disable-pip-version-check --dest "$toolkit/wheels" "${WHEELS[@]}"
  for wheel in "$toolkit"/wheels/*.whl; do python3 -m zipfile -e "$wheel" "$toolkit"; done
  rm -r "$toolkit/wheels"
  chmod -R +x "$toolkit"/nvidia/cu13/{bin,nvvm/bin} # Python's zipfile leaves permissions out
  touch "$toolkit/complete"
fi

export CUDA_HOME=$toolkit/nvidia/cu13 CUDA_COMPUTE_CAP=80
export CUDA_PATH=$CUDA_HOME CUDA_ROOT=$CUDA_HOME CUDA_TOOLKIT_ROOT_DIR=$CUDA_HOME PATH=$CUDA_HOME/bin:$PATH

# candle's kernels for GGUF files take minutes, and the trainer reads none: they come out empty. Nothing is linked.
export NVCC=$toolkit/nvcc
cat >"$NVCC" <<'WRAPPER'
#!/usr/bin/env bash
for last; do [ "${previous:-}" != -o ] || output=$last; [ "${previous:-}" != --output-directory ] || folder=$last; previous=$last; done
case "$last" in
  *quantized.cu) : >"$folder/quantized.ptx" ;;
  *.cu) if [ -z "${output:-}" ]; then exec nvcc "$@"; else : >"$output"; fi ;;
  *.o) : >"$output" ;;
  *) exec nvcc "$@" ;;
esac
WRAPPER
chmod +x "$NVCC"

# A folder of its own, and anew: kernels that are left empty must not be taken for compiled ones, nor these here.
build=$CARGO_TARGET_DIR/cuda-kernels
rm -rf "$build"/release/build/candle-kernels-*
cargo check --locked --release -p blockspan-trainer --features cuda --target-dir "$build"
compiled=$(find "$build"/release/build/candle-kernels-*/out -name '*.ptx' -size +0 | wc -l)
[ "$compiled" -gt 0 ] || fail "no kernel was compiled"
echo "$compiled files of kernels compiled: $(sed -n '/^name = "candle-kernels"$/{n;p}' Cargo.lock)"
