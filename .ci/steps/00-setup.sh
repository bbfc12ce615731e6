# The tools, the cross compilers and emulators, and every crate of Cargo.lock.
. .ci/lib.sh

missing=()
command -v cc >/dev/null || missing+=(gcc libc6-dev)
command -v c++ >/dev/null || missing+=(g++) # libFuzzer
command -v git >/dev/null || missing+=(git)
command -v python3 >/dev/null || missing+=(python3)
command -v pkg-config >/dev/null || missing+=(pkg-config)
command -v cmake >/dev/null || missing+=(cmake make)
if [ ${#missing[@]} -gt 0 ]; then
  install_packages "${missing[@]}"
fi

.ci/setup-cross.sh

for tool in "cargo" "cargo fmt" "cargo clippy"; do
  $tool --version || fail "'$tool' is missing: rustup component add rustfmt clippy"
done
persist cargo fetch --locked --quiet
