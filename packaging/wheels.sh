#!/usr/bin/env bash
# Builds the Python wheels of a release for Linux: for x86-64 and AArch64, for glibc (manylinux2014) and musl (musllinux 1.2),
# for the stable interface of Python 3.9 and newer, and for free-threaded Python 3.14, which has none.
#
#     packaging/wheels.sh                                   all eight, into target/wheels
#     packaging/wheels.sh x86_64-unknown-linux-musl …       those of these targets
#
# Needs rustup's toolchain and Python 3.11 or newer. zig, from PyPI, is the linker and the C library of every target, so that
# any Linux builds all of them; no interpreter of the target is needed, nor of the free-threaded Python. Every wheel is looked
# into: auditwheel (for musl, readelf) tells which system it fits, abi3audit whether it keeps to the stable interface.
set -euo pipefail
cd "$(dirname "$0")/.."

targets=("$@")
[ $# -gt 0 ] || targets=({x86_64,aarch64}-unknown-linux-{gnu,musl})
free_threaded=python3.14t

fail() { echo "error: $*" >&2; exit 1; }

root=$(realpath "${CARGO_TARGET_DIR:-target}")
out=$root/wheels
tools=$root/wheel-tools
wanted="maturin==1.16.0 ziglang==0.17.1 auditwheel==6.8.2 abi3audit==0.0.26"
if [ "$(cat "$tools/installed" 2>/dev/null)" != "$wanted" ]; then
  rm -rf "$tools"
  python3 -m venv "$tools"
  # shellcheck disable=SC2086 # several words
  "$tools/bin/pip" install --quiet --disable-pip-version-check $wanted
  echo "$wanted" >"$tools/installed"
fi
export PATH=$tools/bin:$PATH

# audit WHEEL SYSTEM: whether the wheel is for that system, and keeps to the interface that its name promises
audit() {
  local wheel=$1 system=$2 shown
  [ -e "$wheel" ] || fail "there is no wheel for $system in $out"
  case $system in
    manylinux*)
      shown=$(auditwheel show "$wheel" | tr '\n' ' ')
      grep -q "following platform tag: *\"$system\"" <<<"$shown" || fail "$wheel is not for $system: $shown"
      ;;
    musllinux*)
      # musl's symbols have no versions, so what can be looked at is which libraries the wheel wants.
      shown=$(python3 -m zipfile --list "$wheel" | awk '/\.so / { print $1 }')
      python3 -m zipfile --extract "$wheel" "$tools/look"
      shown=$(readelf --dynamic "$tools/look/$shown" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | xargs)
      rm -rf "$tools/look"
      [ "$shown" = libc.so ] || fail "$wheel wants other libraries than musl: $shown"
      ;;
  esac
  case $wheel in
    *-abi3-*) abi3audit --strict "$wheel" >/dev/null || fail "$wheel uses more than the stable interface" ;;
  esac
}

rm -rf "$out"
mkdir -p "$out"
for target in "${targets[@]}"; do
  rustup target add "$target"
  case $target in
    *-gnu) system=manylinux_2_17_${target%%-*} compatibility=manylinux2014 ;;
    *-musl) system=musllinux_1_2_${target%%-*} compatibility=musllinux_1_2 ;;
    *) fail "no wheels for $target" ;;
  esac
  build=(maturin build --quiet --release --locked --zig --strip --manifest-path bindings/python/Cargo.toml
    --target "$target" --compatibility "$compatibility" --out "$out")
  # In a folder of its own: maturin sets variables that would make Cargo build everything anew elsewhere.
  CARGO_TARGET_DIR=$tools/target "${build[@]}"
  audit "$(echo "$out"/*-abi3-*"$system"*.whl)" "$system"
  CARGO_TARGET_DIR=$tools/target "${build[@]}" --interpreter "$free_threaded"
  audit "$(echo "$out"/*-cp314t-*"$system"*.whl)" "$system"
done
ls -l "$out"
