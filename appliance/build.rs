//! Finds the default model, which is compiled into the command: `cfg(default_model)`, at `BLOCKSPAN_DEFAULT_MODEL`.
//!
//! It is in the repository, not in the package: 15.8 MB of int8 weights, 14.1 MB at the best that zstd or xz make of
//! them, where a registry takes 10 MB. A command that was built from the package asks for `--model`.

use std::env::var_os;
use std::path::Path;

const MODEL: &str = "../fixtures/default.bspan";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={MODEL}");
    println!("cargo::rustc-check-cfg=cfg(default_model)");
    if var_os("CARGO_FEATURE_DEFAULT_MODEL").is_none() {
        return;
    }
    if let Ok(path) = Path::new(MODEL).canonicalize() {
        println!("cargo::rustc-cfg=default_model");
        println!("cargo::rustc-env=BLOCKSPAN_DEFAULT_MODEL={}", path.display());
    } else {
        println!("cargo::warning={MODEL} is not here: this command has no default model and needs --model");
    }
}
