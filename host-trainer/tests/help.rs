//! `--help`: placeholders are few, and the same words in every command.

use std::collections::BTreeSet;
use std::process::Command;

const PLACEHOLDERS: [&str; 13] = [
    "COMMAND",
    "DIFF",
    "DIR",
    "FILE",
    "KEY=VALUE",
    "MINUTES",
    "N",
    "NAME",
    "NUMBER",
    "RATE",
    "SHARE",
    "TOKENS",
    "TYPE",
];

fn help(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_blockspan-trainer"));
    let output = command.args(arguments).arg("--help").output().expect("the binary runs");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn placeholders_are_of_one_manner() {
    let all = ["finetune", "evaluate", "pack", "threshold", "verify", "inspect"];
    let whole = help(&[]);
    for command in all {
        assert!(whole.contains(command), "{command} is missing: {whole}");
        let text = help(&[command]);
        let found: BTreeSet<&str> =
            text.split('<').skip(1).filter_map(|part| part.split_once('>')).map(|(name, _)| name).collect();
        let unknown: Vec<_> = found.iter().filter(|name| !PLACEHOLDERS.contains(*name)).collect();
        assert!(!found.is_empty() && unknown.is_empty(), "{command}: {unknown:?}");
        // Names of run_qa.py are understood, not shown.
        assert!(!text.contains("--num_train_epochs") && !text.contains("--max_seq_length"), "{text}");
        assert!(text.contains("[default: ") || command == "inspect", "{text}");
    }
}
