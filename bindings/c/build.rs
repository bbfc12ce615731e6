//! Names the shared library for the dynamic linker, which otherwise would look for it at the path that it was linked by.
//!
//! Programs that are linked with 0.1.x ask for `libblockspan.so.0.1`, those with 2.x.y for `libblockspan.so.2`: what
//! stays the same under one such name says README.md, under "Compatibility". Apple systems look below the program's rpath.

use std::env::var;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let set = |name: &str| var(name).unwrap_or_default();
    let major = set("CARGO_PKG_VERSION_MAJOR");
    let abi = if major == "0" { format!("0.{}", set("CARGO_PKG_VERSION_MINOR")) } else { major };
    if set("CARGO_CFG_TARGET_VENDOR") == "apple" {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libblockspan.dylib");
    } else if set("CARGO_CFG_TARGET_FAMILY").split(',').any(|family| family == "unix") {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libblockspan.so.{abi}");
    }
}
