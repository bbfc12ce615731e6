#!/usr/bin/env bash
# Prepares a Debian 12 amd64 machine (as root) to build and run blockspan for ARM, bare metal and WebAssembly.
#
# rustup's extra targets come from a host that not every build machine reaches, so the cross compiler is Debian's
# own (packages *-web: a recent rustc), linked into rustup as toolchain `debian`:
#
#     cargo +debian build -p blockspan-engine --no-default-features --target thumbv7em-none-eabihf
#
# Afterwards there are
#   std               for aarch64-unknown-linux-gnu, from Debian's arm64 package of the same compiler;
#   core and alloc    for the targets in BARE_TARGETS, compiled once from Debian's rust source package;
#   linkers           aarch64-linux-gnu-gcc, and the lld that matches the compiler;
#   emulators         qemu-aarch64 and qemu-x86_64 (one program), qemu-system-aarch64 and -arm (a whole board).
#
# Run it again whenever you like: what is in place is left alone, and nothing to do takes well under a second.
. "$(dirname "$0")/lib.sh"

BARE_TARGETS=(
  aarch64-unknown-none        # QEMU virt
  thumbv7em-none-eabihf       # Cortex-M4F
  thumbv8m.main-none-eabihf   # Cortex-M55
  wasm32-unknown-unknown      # Node
)
LINUX_TARGET=aarch64-unknown-linux-gnu
COMPILER=(rustc-web cargo-web rust-web-clippy rust-web-src rust-web-llvm)
LINKERS=(gcc-aarch64-linux-gnu libc6-dev-arm64-cross)
EMULATORS=(qemu-user qemu-system-arm)

export DEBIAN_FRONTEND=noninteractive CARGO_NET_RETRY=5
# Settings of the caller that would leak into the builds of core below.
unset CARGO_TARGET_DIR CARGO_BUILD_TARGET CARGO_ENCODED_RUSTFLAGS RUSTFLAGS RUSTC RUSTUP_TOOLCHAIN

log() { echo "setup-cross: $*"; }

. /etc/os-release
[ "${ID:-}" = debian ] && [ "$(dpkg --print-architecture)" = amd64 ] || fail "needs Debian on amd64; this is ${PRETTY_NAME:-unknown}"
[ "$(id -u)" = 0 ] || fail "needs root, to install packages"
command -v rustup >/dev/null || fail "needs rustup, see https://rustup.rs"

# ------------------------------------------------------------------------------------------------ packages

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# install [APT-OPTION...] -- PACKAGE...: those that are not there yet
install_missing() {
  local options=() wanted=() name
  while [ "$1" != -- ]; do options+=("$1"); shift; done; shift
  for name; do installed "$name" || wanted+=("$name"); done
  [ ${#wanted[@]} -gt 0 ] || return 0
  refresh_package_lists
  log "installing ${wanted[*]}"
  persist apt-get -qq -y --no-install-recommends "${options[@]}" install "${wanted[@]}" >/dev/null
}

lists_are_fresh=
refresh_package_lists() {
  [ -z "$lists_are_fresh" ] || return 0
  # A third-party source that fails must not stop us; a missing package will.
  persist apt-get -qq update || log "apt-get update failed in part; going on with the lists there are"
  lists_are_fresh=yes
}

debian_sources=/etc/apt/sources.list.d/debian.sources
backports="$VERSION_CODENAME-backports"

# Adds the backports suite: a copy of the machine's first Debian entry under another suite's name, so that a
# mirror configured there is used for this too.
add_backports() {
  grep -qrs -- "$backports" /etc/apt/sources.list /etc/apt/sources.list.d && return 0
  [ -f "$debian_sources" ] || fail "no $debian_sources to derive $backports from; add that suite by hand"
  awk 'BEGIN { RS = "" } NR == 1' "$debian_sources" |
    sed -e '/^#/d' -e "s/^Suites:.*/Suites: $backports/" >/etc/apt/sources.list.d/blockspan-backports.sources
  lists_are_fresh=
}

install_missing -- "${COMPILER[@]}" "${LINKERS[@]}"
# The emulators come from backports: newer CPU models, and a machine that already carries any QEMU package from
# there could not install the release's beside it.
for name in "${EMULATORS[@]}"; do installed "$name" || { add_backports; break; }; done
install_missing -t "$backports" -- "${EMULATORS[@]}"
# rust-lld, the bare-metal linker, is a link into the lld package of the compiler's LLVM version.
install_missing -- "lld-$(/usr/bin/rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')"

# ----------------------------------------------------------------------------------------------- toolchain

minimum=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$(dirname "$0")/../Cargo.toml")
version=$(/usr/bin/rustc -V | cut -d' ' -f2)
[ "$(printf '%s\n' "$minimum" "$version" | sort -V | head -1)" = "$minimum" ] ||
  fail "Debian's rustc is $version, the workspace needs $minimum: bring the package lists up to date (apt-get update)"

link="${RUSTUP_HOME:-$HOME/.rustup}/toolchains/debian"
[ "$(readlink -f "$link" 2>/dev/null)" = /usr ] || rustup -q toolchain link debian /usr

# A library is valid for exactly one build of the compiler, so each is stamped with that package's version.
package=$(dpkg-query -W -f '${Version}' rustc-web)
libraries=/usr/lib/rustlib
up_to_date() { [ "$(cat "$libraries/$1/.blockspan-cross" 2>/dev/null)" = "$package" ]; }
mark() { echo "$package" >"$libraries/$1/.blockspan-cross"; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# compile CRATES TARGET...: builds the standard library's crates and puts them where rustc looks for them, so
# that the project's own builds need no unstable flag.
compile() {
  local crates=$1 target; shift
  mkdir -p "$scratch/probe/src"
  printf '[package]\nname = "probe"\nedition = "2021"\n[workspace]\n' >"$scratch/probe/Cargo.toml"
  echo '#![no_std]' >"$scratch/probe/src/lib.rs"
  log "compiling $crates for $*"
  (cd "$scratch/probe" && RUSTC_BOOTSTRAP=1 persist cargo +debian build -q --release -Zbuild-std="$crates" "${@/#/--target=}")
  for target; do
    rm -rf "${libraries:?}/$target/lib"
    mkdir -p "$libraries/$target/lib"
    rm -f "$scratch/probe/target/$target/release/deps/"libprobe-*
    cp "$scratch/probe/target/$target/release/deps/"*.rlib "$libraries/$target/lib/"
    mark "$target"
  done
}

# Debian's std for arm64. apt gets a state of its own here: making arm64 a foreign architecture of the machine
# would have every later `apt-get update` fetch its lists too.
unpack_arm64_std() {
  local apt=(apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Sandbox::User=root
    -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$scratch/sources" -o Dir::State::status=/dev/null
    -o Dir::State::Lists="$scratch/lists" -o Dir::Cache="$scratch/cache")
  mkdir -p "$scratch"/{sources,lists/partial,cache/archives/partial}
  cp "$debian_sources" "$scratch/sources/" || return
  persist "${apt[@]}" update || return
  (cd "$scratch" && persist "${apt[@]}" download "libstd-rust-web-dev:arm64=$package") || return
  rm -rf "${libraries:?}/$LINUX_TARGET"
  dpkg-deb --fsys-tarfile "$scratch"/libstd-rust-web-dev_*.deb | tar -x -C / "./usr/lib/rustlib/$LINUX_TARGET" || return
  mark "$LINUX_TARGET"
}

if ! up_to_date "$LINUX_TARGET"; then
  log "fetching std for $LINUX_TARGET"
  unpack_arm64_std || compile std,panic_unwind,panic_abort,proc_macro,test "$LINUX_TARGET"
fi
stale=()
for target in "${BARE_TARGETS[@]}"; do up_to_date "$target" || stale+=("$target"); done
[ ${#stale[@]} -eq 0 ] || compile core,alloc "${stale[@]}"

log "ready: $(rustc +debian -V), $(qemu-aarch64 --version | head -1)"
