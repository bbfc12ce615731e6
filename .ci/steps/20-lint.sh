# clippy, with and without the crates' optional features. With the release profile, here and for the documentation: its
# macros, build scripts and C libraries serve every later step; those of the other profile nothing would use again.
. .ci/lib.sh
cargo clippy --locked --release --workspace --all-targets -- -D warnings
cargo clippy --locked --release -p blockspan-kernels -p blockspan-engine --no-default-features -- -D warnings
