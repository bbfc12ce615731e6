# The command with the features that it lacks by default: the page for browsers (every file with its type, the policy, and
# the model), Parquet for `batch`, and PDF. One build for all.
. .ci/lib.sh

command -v node >/dev/null || install_packages nodejs
(cd bindings/js/wasm && persist cargo +debian fetch --locked --quiet)
(cd bindings/js && RUSTUP_TOOLCHAIN=debian node build.mjs)
cargo clippy --locked --release --quiet -p blockspan --all-targets --features page,parquet,pdf -- -D warnings
cargo test --locked --release -p blockspan --features page,parquet,pdf --test serve --test cli -- page:: batch_parquet:: pdf::
# What takes a PDF's letters to lines.
cargo test --locked --release -p blockspan --features page,parquet,pdf --bin blockspan -- documents::pdf::
