//! A build without the default model asks for a model, and says where the default one is.
#![cfg(not(default_model))]

use std::process::Command;

#[test]
fn a_model_must_be_named() {
    for args in [["ask", "What?", "--context", "This."].as_slice(), &["inspect"], &["tokenize"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_blockspan")).args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let stderr = String::from_utf8(output.stderr).unwrap();
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            stderr,
            format!(
                "error: no model: this build has no default model; name a .bspan file, such as the default one \
                 from https://github.com/blockspan/blockspan/raw/v{version}/fixtures/default.bspan (16 MB)\n"
            )
        );
    }
}

#[test]
fn there_is_nothing_to_test_the_machine_with() {
    let output = Command::new(env!("CARGO_BIN_EXE_blockspan")).arg("selftest").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "error: this build has no default model, and so no recorded answers; record your own with `blockspan batch` and \
         compare with --expect\n"
    );
}

#[test]
fn the_version_tells_that_there_is_none() {
    let output = Command::new(env!("CARGO_BIN_EXE_blockspan")).arg("--version").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("\ndefault model: none in this build; "), "{text}");
}
