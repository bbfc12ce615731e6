//! Shell completions and manual pages.

use crate::common::{blockspan, stdout};

#[test]
fn every_shell_gets_a_script() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = stdout(&blockspan(&["completions", shell]).output().unwrap());
        for word in ["context-file", "tokenize", "top-k"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    let unknown = blockspan(&["completions", "sh"]).output().unwrap();
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("bash"), "{unknown:?}");
}

/// With bash itself, if there is one.
#[cfg(unix)]
#[test]
fn bash_completes_commands_and_options() {
    let script = stdout(&blockspan(&["completions", "bash"]).output().unwrap());
    let complete = |words: &str, last: usize| {
        let call = format!(
            "{script}\nCOMP_WORDS=({words}); COMP_CWORD={last}; _blockspan blockspan \"${{COMP_WORDS[{last}]}}\" x; \
             echo \"${{COMPREPLY[@]}}\""
        );
        std::process::Command::new("bash")
            .args(["--norc", "-c", &call])
            .output()
            .ok()
            .map(|output| stdout(&output))
    };
    let Some(commands) = complete("blockspan tok", 1) else { return };
    assert_eq!(commands.trim(), "tokenize");
    assert_eq!(complete("blockspan ask --context-", 2).unwrap().trim(), "--context-file");
}

#[test]
fn every_command_has_a_page() {
    let directory = tempfile::tempdir().unwrap();
    let pages = directory.path().join("share/man1");
    stdout(&blockspan(&["man", "--out", pages.to_str().unwrap()]).output().unwrap());
    let mut names: Vec<String> = std::fs::read_dir(&pages)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let help = stdout(&blockspan(&["--help"]).output().unwrap());
    let listed =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let mut expected: Vec<String> = listed
        .filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(|name| format!("blockspan-{name}.1"))
        .collect();
    assert!(expected.len() > 7, "{help}");
    expected.push("blockspan.1".into());
    expected.sort();
    assert_eq!(names, expected);
    let ask = std::fs::read_to_string(pages.join("blockspan-ask.1")).unwrap();
    assert!(ask.contains(".TH blockspan-ask 1") && ask.contains("context\\-file"), "{ask}");
    // Printed, the program's page is the same.
    let printed = stdout(&blockspan(&["man"]).output().unwrap());
    assert_eq!(printed, std::fs::read_to_string(pages.join("blockspan.1")).unwrap());
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let inside = file.path().join("man1");
    let output = blockspan(&["man", "--out", inside.to_str().unwrap()]).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.lines().count() == 1 && error.contains(inside.to_str().unwrap()), "{error}");
}
