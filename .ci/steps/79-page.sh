# The command with the page for browsers in it: every file with its type, the policy, and the model.
. .ci/lib.sh

command -v node >/dev/null || install_packages nodejs
(cd bindings/js/wasm && persist cargo +debian fetch --locked --quiet)
(cd bindings/js && RUSTUP_TOOLCHAIN=debian node build.mjs)
cargo test --locked --release -p blockspan --features page --test serve page::
