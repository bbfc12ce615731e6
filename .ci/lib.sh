# Sourced by setup-cross.sh and by the steps.
set -euo pipefail

# Runs a command up to four times: registries fail for a moment now and then.
persist() {
  local pause
  for pause in 3 10 30; do
    "$@" && return 0
    echo "failed, trying again in $pause s: $*" >&2
    sleep "$pause"
  done
  "$@"
}

fail() { echo "error: $*" >&2; exit 1; }

# install_packages NAME...: Debian packages
install_packages() {
  persist apt-get -qq update
  DEBIAN_FRONTEND=noninteractive persist apt-get -qq -y --no-install-recommends install "$@" >/dev/null
}

# An MPI, and what the crate `mpi` needs to be built: bindgen takes gcc's own headers, for want of clang's.
install_mpi() {
  local missing=()
  command -v mpirun >/dev/null || missing+=(openmpi-bin)
  command -v mpicc >/dev/null || missing+=(libopenmpi-dev)
  # By its number, since libclang-cpp, which others bring along, is another library.
  compgen -G '/usr/lib/*/libclang-[0-9]*.so*' >/dev/null || missing+=(libclang1-14)
  [ ${#missing[@]} -eq 0 ] || install_packages "${missing[@]}"
  BINDGEN_EXTRA_CLANG_ARGS="-I$(gcc -print-file-name=include)"
  export BINDGEN_EXTRA_CLANG_ARGS
}
