//! Finds the default model, which is compiled into the command: `cfg(default_model)`, at `BLOCKSPAN_DEFAULT_MODEL`.
//!
//! It is in the repository, not in the package: 15.8 MB of int8 weights, 14.1 MB at the best that zstd or xz make of
//! them, where a registry takes 10 MB. A command that was built from the package asks for `--model`.
//!
//! Leaves the white space out of `openapi.json`, of which it is nearly half.
//!
//! With the feature `page`, makes a list of the page's files. They hold a compiled WebAssembly module, so they are built, not
//! committed; a build that asked for them and lacks them fails, rather than leave the page out in silence.

use core::fmt::Write;
use std::env::var_os;

use std::fs;
use std::path::{Path, PathBuf};

const MODEL: &str = "../fixtures/default.bspan";

/// Where `npm run build` in `bindings/js` leaves the page.
const PAGE: &str = "../bindings/js/target/page";

fn main() {
    default_model();
    openapi();
    page();
}

fn default_model() {
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

fn openapi() {
    const FILE: &str = "openapi.json";
    println!("cargo::rerun-if-changed={FILE}");
    let document = fs::read_to_string(FILE).unwrap_or_else(|error| panic!("{FILE}: {error}"));
    let (mut in_string, mut escaped) = (false, false);
    let document: String = document
        .chars()
        .filter(|&c| {
            in_string ^= c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            in_string || !c.is_ascii_whitespace()
        })
        .collect();
    let out = PathBuf::from(var_os("OUT_DIR").unwrap_or_default()).join(FILE);
    fs::write(&out, document).unwrap_or_else(|error| panic!("{}: {error}", out.display()));
}

fn page() {
    println!("cargo::rerun-if-env-changed=BLOCKSPAN_PAGE");
    if var_os("CARGO_FEATURE_PAGE").is_none() {
        return;
    }
    let folder = var_os("BLOCKSPAN_PAGE").map_or_else(|| PathBuf::from(PAGE), PathBuf::from);
    println!("cargo::rerun-if-changed={}", folder.display());
    let Some(folder) = folder.canonicalize().ok().filter(|folder| folder.join("files.js").is_file()) else {
        println!(
            "cargo::error={}: holds no page; run `npm run build` in bindings/js, or build without the feature `page`",
            folder.display()
        );
        return;
    };
    let mut files = Vec::new();
    list(&folder, &mut files);
    files.sort();
    let mut code = String::from("&[\n");
    for file in files {
        let name = file.strip_prefix(&folder).unwrap_or(&file).to_string_lossy().replace('\\', "/");
        // The server has a model of its own.
        if name != "model.bspan" && name != "model.json" {
            println!("cargo::rerun-if-changed={}", file.display());
            let _ = writeln!(code, "    ({name:?}, include_bytes!({:?})),", file.display().to_string());
        }
    }
    code.push(']');
    let out = PathBuf::from(var_os("OUT_DIR").unwrap_or_default()).join("page.rs");
    if let Err(error) = fs::write(&out, code) {
        println!("cargo::error={}: {error}", out.display());
    }
}

/// All files below a folder.
fn list(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { list(&path, files) } else { files.push(path) }
    }
}
