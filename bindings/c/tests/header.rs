//! The committed header is what cbindgen makes of the source.
//!
//! `BLOCKSPAN_BLESS=1 cargo test -p blockspan-capi --test header` writes it anew, after a change of the API or of the
//! version. The same run adds what is new to `abi/`, the record of what programs may rely on.

use core::fmt::Write;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The files that declare functions.
const SOURCES: [&str; 5] = ["version", "status", "model", "session", "answer"];

fn crate_dir() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn blessing() -> bool {
    std::env::var_os("BLOCKSPAN_BLESS").is_some()
}

/// What the source says that the header is.
fn made() -> String {
    let mut config = cbindgen::Config::from_file(crate_dir().join("cbindgen.toml")).unwrap();
    let includes = config.after_includes.get_or_insert_default();
    writeln!(includes, "\n\n// The version of this header; blockspan_version has that of the library.")
        .unwrap();
    for (name, value) in [
        ("MAJOR", env!("CARGO_PKG_VERSION_MAJOR")),
        ("MINOR", env!("CARGO_PKG_VERSION_MINOR")),
        ("PATCH", env!("CARGO_PKG_VERSION_PATCH")),
        ("STRING", concat!('"', env!("CARGO_PKG_VERSION"), '"')),
    ] {
        writeln!(includes, "#define BLOCKSPAN_VERSION_{name} {value}").unwrap();
    }
    includes.truncate(includes.trim_end().len());
    let builder = cbindgen::Builder::new().with_config(config);
    // One by one and not by way of lib.rs, for an order in which they read well.
    let sources = SOURCES.map(|name| crate_dir().join(format!("src/{name}.rs")));
    let bindings = sources.iter().fold(builder, |builder, path| builder.with_src(path)).generate().unwrap();
    let mut made = Vec::new();
    bindings.write(&mut made);
    // Rust's heading, which clippy wants, is Markdown; C programmers read a sentence.
    String::from_utf8(made).unwrap().replace("// # Safety\n", "// The caller must ensure:\n")
}

#[test]
fn the_header_is_that_of_the_source() {
    let made = made();
    let path = crate_dir().join("include/blockspan.h");
    if blessing() {
        std::fs::write(&path, &made).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    assert!(made == committed, "include/blockspan.h is out of date; run this test with BLOCKSPAN_BLESS=1");
    // Each function that the library exports must be declared, or the list of files is incomplete.
    for source in std::fs::read_dir(crate_dir().join("src")).unwrap() {
        let source = std::fs::read_to_string(source.unwrap().path()).unwrap();
        let names = source.split("extern \"C\" fn ").skip(1).filter_map(|after| after.split('(').next());
        for name in names {
            assert!(made.contains(&format!("{name}(")), "{name} is not declared");
        }
    }
}

/// Headings and links of Rust's documentation once stood in the header.
#[test]
fn the_header_is_written_for_c() {
    for line in made().lines().filter_map(|line| line.trim_start().strip_prefix("//")) {
        let comment = line.trim_start();
        assert!(!comment.starts_with('#') && !comment.contains("[`") && !comment.contains("::"), "{line}");
    }
}

/// What a compiled program relies on, a line each: constants, enumerators, whole structs, functions.
fn declarations(header: &str) -> BTreeSet<String> {
    let mut text = String::new();
    let mut found = BTreeSet::new();
    for line in header.split_once("*/").unwrap().1.lines() {
        let code = line.split("//").next().unwrap().trim();
        if let Some(constant) = code.strip_prefix("#define ") {
            // The guard has no value.
            if constant.contains(' ') && !constant.starts_with("BLOCKSPAN_VERSION_") {
                found.insert(format!("#define {constant}"));
            }
        } else if !code.starts_with(['#', '/', '*', ':']) && !code.starts_with("extern \"C\"") {
            text.push_str(code);
            text.push(' ');
        }
    }
    let mut statement = String::new();
    let mut depth = 0;
    for c in text.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if c != ';' || depth > 0 {
            statement.push(c);
            continue;
        }
        let words = statement.split_whitespace().collect::<Vec<_>>().join(" ");
        statement.clear();
        match words.strip_prefix("enum ").and_then(|words| words.split_once('{')) {
            Some((_, body)) => {
                let values = body.trim_end_matches('}').split(',').map(str::trim);
                found.extend(values.filter(|value| !value.is_empty()).map(str::to_owned));
            }
            None => {
                found.insert(words.trim_start_matches('}').trim().to_owned());
            }
        }
    }
    found
}

/// The record of the interface that goes by one SONAME; `build.rs` has the rule.
fn record() -> PathBuf {
    let (major, minor) = (env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"));
    let abi = if major == "0" { format!("0.{minor}") } else { major.to_owned() };
    crate_dir().join(format!("abi/{abi}.txt"))
}

/// A field was once added to a struct while the name of the library stayed: programs that were not compiled again
/// passed a struct that was too short.
#[test]
fn what_is_declared_stays_while_the_soname_does() {
    let (declared, path) = (declarations(&made()), record());
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let recorded: BTreeSet<String> = text.lines().map(str::to_owned).collect();
    let gone: Vec<_> = recorded.difference(&declared).collect();
    assert!(
        gone.is_empty(),
        "{}: programs rely on these declarations, which are gone or changed; leave them and declare something new \
         beside them, or raise the version, which changes the SONAME (delete the record only if that version is not \
         released): {gone:#?}",
        path.display()
    );
    if blessing() {
        let lines: String = declared.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(&path, lines).unwrap();
        return;
    }
    let new: Vec<_> = declared.difference(&recorded).collect();
    assert!(new.is_empty(), "{}: run this test with BLOCKSPAN_BLESS=1 to add {new:#?}", path.display());
}

#[test]
fn a_changed_struct_is_seen_as_a_changed_declaration() {
    let header = made();
    let before = declarations(&header);
    assert!(before.contains("BLOCKSPAN_STATUS_BUSY = 12"), "{before:#?}");
    assert!(before.contains("#define BLOCKSPAN_MESSAGE_LEN 256"));
    assert!(before.iter().any(|line| line.starts_with("blockspan_status blockspan_session_answer(const")));
    for (old, new) in [
        ("  float null_diff;\n", "  float null_diff;\n  float more;\n"),
        ("  float null_diff;\n", "  double null_diff;\n"),
        ("  float start_logit;\n", ""),
        ("BLOCKSPAN_STATUS_BUSY = 12", "BLOCKSPAN_STATUS_BUSY = 15"),
        ("MESSAGE_LEN 256", "MESSAGE_LEN 512"),
        ("size_t capacity,", "uint32_t capacity,"),
    ] {
        assert!(header.contains(old), "{old}");
        let after = declarations(&header.replace(old, new));
        assert_ne!(before.difference(&after).count(), 0, "{old} to {new}");
    }
    // Comments and the version are no part of it.
    let same = header.replace("// All is well.", "// Well.").replace("VERSION_PATCH ", "VERSION_PATCH 1");
    assert_eq!(declarations(&same), before);
}
