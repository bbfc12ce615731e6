//! The committed header is what cbindgen makes of the source.
//!
//! `BLOCKSPAN_BLESS=1 cargo test -p blockspan-capi --test header` writes it anew, after a change of the API.

use std::path::Path;

/// The files that declare functions.
const SOURCES: [&str; 4] = ["status", "model", "session", "answer"];

#[test]
fn the_header_is_that_of_the_source() {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(crate_dir.join("cbindgen.toml")).unwrap();
    let builder = cbindgen::Builder::new().with_config(config);
    // One by one and not by way of lib.rs, for an order in which they read well.
    let sources = SOURCES.map(|name| crate_dir.join(format!("src/{name}.rs")));
    let bindings = sources.iter().fold(builder, |builder, path| builder.with_src(path)).generate().unwrap();
    let mut made = Vec::new();
    bindings.write(&mut made);
    let made = String::from_utf8(made).unwrap();
    let path = crate_dir.join("include/blockspan.h");
    if std::env::var_os("BLOCKSPAN_BLESS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    assert!(made == committed, "include/blockspan.h is out of date; run this test with BLOCKSPAN_BLESS=1");
    // Each function that the library exports must be declared, or the list of files is incomplete.
    for source in std::fs::read_dir(crate_dir.join("src")).unwrap() {
        let source = std::fs::read_to_string(source.unwrap().path()).unwrap();
        let names = source.split("extern \"C\" fn ").skip(1).filter_map(|after| after.split('(').next());
        for name in names {
            assert!(made.contains(&format!("{name}(")), "{name} is not declared");
        }
    }
}
