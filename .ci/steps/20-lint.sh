# clippy, with and without the crates' optional features.
. .ci/lib.sh
cargo clippy --locked --workspace --all-targets -- -D warnings
cargo clippy --locked -p blockspan-kernels -p blockspan-engine --no-default-features -- -D warnings
