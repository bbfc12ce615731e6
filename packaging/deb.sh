#!/usr/bin/env bash
# Makes the Debian package of the command in target/debian, or target/TARGET/debian, and prints where it is.
#
#     packaging/deb.sh [TARGET]      needs `cargo install --locked cargo-deb`
#
# TARGET is a Rust target such as aarch64-unknown-linux-gnu, with its linker in .cargo/config.toml.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${1:-}
output=${CARGO_TARGET_DIR:-target}

# Relative relocations in a bitmap, for the C library of Debian 12 and later: 0.3 MB of 4.0. Other linkers than x86-64's of that
# Debian may not know them.
packed=(-C "link-arg=-Wl,-z,pack-relative-relocs")
[ -z "$target" ] || packed=()

# Completions and pages are the same for every target; they come from a command that runs here.
cargo rustc --locked --release --quiet -p blockspan --bin blockspan -- "${packed[@]}"
shipped=$output/${target:+$target/}release/package
rm -rf "$shipped"
mkdir -p "$shipped"
"$output/release/blockspan" man --out "$shipped/man1"
gzip -9n "$shipped"/man1/*
for shell in bash zsh fish; do
  "$output/release/blockspan" completions "$shell" >"$shipped/$shell"
done
if [ -n "$target" ]; then
  # Another toolchain may have the target's standard library: BLOCKSPAN_DEB_CARGO="cargo +debian".
  ${BLOCKSPAN_DEB_CARGO:-cargo} build --locked --release --quiet -p blockspan --target "$target"
fi
cargo deb --quiet --strip -p blockspan --no-build ${target:+--target "$target"}
