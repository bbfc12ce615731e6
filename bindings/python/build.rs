//! Lets macOS link a library whose symbols come from the interpreter, also where Cargo builds it without maturin.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    pyo3_build_config::add_extension_module_link_args();
}
