# Training on several workers: the commands of host-trainer/README.md, with a tiny model. mpirun is Debian's OpenMPI;
# torchrun and srun are stand-ins that set the variables which those set (neither is small to install). All ways to start as
# many workers must give the same bits. Then a worker of mpirun is killed, and the run goes on without MPI.
. .ci/lib.sh

install_mpi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/bin" "$scratch/work"

# The trainer with MPI, which the tiny model does not need optimized. (The cuda step runs clippy over this feature too.) Of the
# whole workspace, as in other steps, so that candle has the same features and is there already.
quick=(--config 'profile.release.package.blockspan-trainer.opt-level=1')
cargo "${quick[@]}" build --locked --release --quiet --workspace --bin blockspan-trainer --features blockspan-trainer/mpi
cp "$CARGO_TARGET_DIR/release/blockspan-trainer" "$scratch/bin"
cp -r fixtures/tiny/output-block "$scratch/work/base"
cp fixtures/questions.json "$scratch/work/train.json"

cat >"$scratch/bin/torchrun" <<'STANDIN'
#!/usr/bin/env bash
# torchrun --no-python --nproc-per-node N COMMAND…
set -eu
[ "$1 $2" = "--no-python --nproc-per-node" ] || exit 64
workers=$3; shift 3
# Two free ports, of which the agent takes the first.
port=$(python3 -c 'import socket
with socket.socket() as a, socket.socket() as b:
    while True:
        a.bind(("127.0.0.1", 0)); port = a.getsockname()[1]
        try: b.bind(("127.0.0.1", port + 1)); break
        except OSError: a.close(); a = socket.socket()
print(port)')
export WORLD_SIZE=$workers LOCAL_WORLD_SIZE=$workers MASTER_ADDR=localhost MASTER_PORT=$port
export TORCHELASTIC_RUN_ID=none TORCHELASTIC_RESTART_COUNT=0 TORCHELASTIC_USE_AGENT_STORE=True
for ((rank = 0; rank < workers; rank++)); do RANK=$rank LOCAL_RANK=$rank "$@" & done
for ((rank = 0; rank < workers; rank++)); do wait -n; done
STANDIN
cat >"$scratch/bin/srun" <<'STANDIN'
#!/usr/bin/env bash
# srun --ntasks N COMMAND…, on one node
set -eu
[ "$1" = "--ntasks" ] || exit 64
workers=$2; shift 2
export SLURM_STEP_NUM_TASKS=$workers SLURM_STEP_NUM_NODES=1 SLURM_JOB_ID=$$ SLURM_STEP_ID=0
for ((rank = 0; rank < workers; rank++)); do SLURM_PROCID=$rank SLURM_LOCALID=$rank "$@" & done
for ((rank = 0; rank < workers; rank++)); do wait -n; done
STANDIN
chmod +x "$scratch"/bin/*

# Root, and more workers than cores.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
# Bits are those of a number of threads.
export RAYON_NUM_THREADS=1 PATH=$scratch/bin:$PATH
readme=$PWD/host-trainer/README.md
cd "$scratch/work"

# The blocks that README marks so, without the build.
commands=$(awk '
  $0 == "<!-- ci: workers -->" { wanted = 1; next }
  wanted && /^```/ { inside = !inside; if (!inside) wanted = 0; next }
  inside && !/^cargo build/ { print }
' "$readme")
[ "$(grep -c . <<<"$commands")" -ge 4 ] || fail "$readme has not four commands marked <!-- ci: workers -->"
while IFS= read -r command; do
  echo "\$ $command"
  bash -euo pipefail -c "$command" 2>"$scratch/stderr" || { cat "$scratch/stderr"; fail "it failed"; }
done <<<"$commands"

# equal OUT...: the same weights to the bit, and the same losses
equal() {
  local first=$1; shift
  for out; do
    cmp "$first/model.safetensors" "$out/model.safetensors"
    [ "$(losses "$first")" = "$(losses "$out")" ] || fail "losses in $first and $out differ"
  done
}
losses() { grep -o '"loss":[^,]*' "$1/metrics.jsonl"; }
equal qa-two qa-torchrun qa-srun qa-mpi

train="finetune --base base --train train.json --max-steps 8"
quiet() { "$@" >/dev/null 2>"$scratch/stderr" || { cat "$scratch/stderr"; fail "$*"; }; }
# shellcheck disable=SC2086 # words
{
  quiet blockspan-trainer $train --batch-size 4 --workers 4 --out four
  quiet mpirun -n 4 blockspan-trainer $train --batch-size 4 --out four-mpi
  quiet blockspan-trainer $train --batch-size 16 --out one
}
equal four four-mpi
if cmp -s one/model.safetensors four/model.safetensors; then fail "four workers did not share the windows"; fi

# Killed: the job ends with an error, the last checkpoint stays, and one process goes on with it.
long="finetune --base base --train train.json --max-steps 100000 --save-every 5 --out killed"
# shellcheck disable=SC2086 # words
mpirun -n 2 blockspan-trainer $long --batch-size 8 >/dev/null 2>&1 &
job=$!
for ((tries = 0; tries < 600; tries++)); do [ ! -e killed/checkpoints/step-00000005 ] || break; sleep 0.1; done
workers=$(pgrep -P "$job" -x blockspan-train) # the kernel keeps 15 letters of the name
kill -9 "${workers##*$'\n'}"
if wait "$job"; then fail "mpirun did not notice that a worker was lost"; fi
before=$(find killed/checkpoints -name 'step-*' | sort | tail -n 1)
[ -s "$before/training.json" ] || fail "no checkpoint is left"
step=$((10#${before##*-}))
# shellcheck disable=SC2086 # words
quiet blockspan-trainer $long --batch-size 8 --gradient-accumulation 2 --resume --max-train-minutes 0.01
grep -q "resumed from $before" "$scratch/stderr" || { cat "$scratch/stderr"; fail "it did not go on from step $step"; }
echo "one, two and four workers, by TCP and MPI: the same bits for as many; killed at step $step or later and resumed"
