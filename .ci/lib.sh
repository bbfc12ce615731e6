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
