# The API documentation: no broken link, nothing public without a description.
. .ci/lib.sh
RUSTDOCFLAGS="-D warnings" cargo doc --locked --release --workspace --no-deps
