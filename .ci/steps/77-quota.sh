# Threads follow the processor time that a container may use: a quota of one core of control groups v1 and v2, made up in a
# mount namespace of its own. (The affinity is tested with the reader.)
. .ci/lib.sh

if [ "$(nproc)" -lt 2 ]; then
  echo "one core: a quota of one core would show nothing"
  exit 0
fi
cargo build --locked --release --quiet --workspace --bin blockspan

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# threads FILES...: mounts a folder with these over /sys/fs/cgroup and $scratch/cgroup over the process's own groups, and
# prints how many threads `ask` takes
cat >"$scratch/ask.sh" <<'EOF'
set -eu
mount --bind "$1/cgroup" "/proc/$$/cgroup"
mount --bind "$1/groups" /sys/fs/cgroup
exec "$2" ask -v --context "It is 31 metres high." "How high is it?"
EOF
threads() {
  unshare --mount sh "$scratch/ask.sh" "$scratch" "$CARGO_TARGET_DIR/release/blockspan" 2>&1 >/dev/null | grep -o 'threads [0-9]*'
}

# expect WHAT THREADS
expect() {
  local found
  found=$(threads) || fail "$1: ask does not run in a mount namespace"
  [ "$found" = "threads $2" ] || fail "$1: $found instead of $2"
  echo "$1: $found"
}

mkdir -p "$scratch/groups/pod"
echo "0::/pod" >"$scratch/cgroup"
echo cpu >"$scratch/groups/pod/cgroup.controllers"
echo "max 100000" >"$scratch/groups/pod/cpu.max"
expect "v2 without a quota" "$(nproc)"
echo "150000 100000" >"$scratch/groups/pod/cpu.max"
expect "v2 with a quota of 1.5 cores" 1

rm -r "$scratch/groups"
mkdir -p "$scratch/groups/cpu/pod"
echo "3:cpu,cpuacct:/pod" >"$scratch/cgroup"
echo 100000 >"$scratch/groups/cpu/pod/cpu.cfs_period_us"
echo -1 >"$scratch/groups/cpu/pod/cpu.cfs_quota_us"
expect "v1 without a quota" "$(nproc)"
echo 100000 >"$scratch/groups/cpu/pod/cpu.cfs_quota_us"
expect "v1 with a quota of one core" 1
