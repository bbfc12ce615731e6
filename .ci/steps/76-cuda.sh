# The trainer compiles with --features cuda: its code, candle's, and those of candle's CUDA kernels that it uses. The
# compiler comes from NVIDIA's packages for Python (270 MB, once). No GPU is needed and nothing is run. Skipped, with
# the reason, where the packages cannot be had or the time runs out.
. .ci/lib.sh

# One release of the toolkit: with mixed ones its headers do not fit each other.
WHEELS=(nvidia-cuda-{nvcc,crt,nvrtc}==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-runtime==13.0.96
  nvidia-cuda-cccl==13.0.85 nvidia-curand==10.4.0.35)
SECONDS_AT_MOST=220
TOOLKIT=$CARGO_TARGET_DIR/cuda-13.0

if [ ! -e "$TOOLKIT/complete" ]; then
  rm -rf "$TOOLKIT"
  mkdir -p "$TOOLKIT/wheels"
  timeout 100 python3 -m pip download --quiet --no-deps --disable-pip-version-check --dest "$TOOLKIT/wheels" \
    "${WHEELS[@]}" || { echo "skipped: the registry does not give ${WHEELS[*]}"; exit 0; }
  for wheel in "$TOOLKIT"/wheels/*.whl; do python3 -m zipfile -e "$wheel" "$TOOLKIT"; done
  rm -r "$TOOLKIT/wheels"
  chmod -R +x "$TOOLKIT"/nvidia/cu13/{bin,nvvm/bin} # Python's zipfile leaves permissions out
  touch "$TOOLKIT/complete"
fi

export CUDA_HOME=$TOOLKIT/nvidia/cu13 CUDA_COMPUTE_CAP=80
export CUDA_PATH=$CUDA_HOME CUDA_ROOT=$CUDA_HOME CUDA_TOOLKIT_ROOT_DIR=$CUDA_HOME PATH=$CUDA_HOME/bin:$PATH

# candle's kernels for GGUF files take minutes, and the trainer reads none: they come out empty. Nothing is linked.
export NVCC=$TOOLKIT/nvcc
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

status=0
timeout "$SECONDS_AT_MOST" cargo clippy --locked --quiet -p blockspan-trainer --features cuda -- -D warnings || status=$?
[ "$status" != 124 ] || { echo "skipped: not done within $SECONDS_AT_MOST s"; exit 0; }
exit "$status"
