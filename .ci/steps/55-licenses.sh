# Every crate that is built has a license that deny.toml allows, and comes from the registry. (The hosted workflow runs
# cargo-deny itself with the same file, and looks for advisories.)
. .ci/lib.sh
cargo metadata --locked --format-version 1 --all-features | python3 .ci/licenses.py deny.toml
