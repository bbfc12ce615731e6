//! What the command says of itself.

use serde_json::Value;

use crate::common::{JSON, Server, blockspan, default_model};

fn help() -> String {
    let output = blockspan(&["serve", "--help"]).output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_option_is_an_environment_variable_too() {
    let help = help();
    let options: Vec<&str> = help.lines().map(str::trim).filter(|line| line.starts_with("--")).collect();
    assert!(options.len() >= 20, "{help}");
    for option in options {
        let name = option.trim_start_matches('-').split([' ', '=']).next().unwrap();
        let variable = format!("BLOCKSPAN_{}", name.replace('-', "_").to_uppercase());
        // The one of `ask`.
        let found =
            help.contains(&format!("[env: {variable}=]")) || name == "isa" && help.contains(&variable);
        assert!(found, "no {variable} in {help}");
    }
}

/// The server of each example, on a free port, answers the question behind it.
#[cfg(unix)]
#[test]
fn the_examples_run() {
    let help = help();
    let lines = help.lines().skip_while(|line| *line != "Examples:").skip(1).map(str::trim);
    let lines: Vec<&str> = lines.take_while(|line| !line.is_empty()).collect();
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    std::os::unix::fs::symlink(default_model(), at("model.bspan")).unwrap();
    std::fs::create_dir(at("notes")).unwrap();
    std::fs::write(at("notes/report.txt"), "The contract was signed by Marta Lindqvist in Oslo.").unwrap();
    let indexed = blockspan(&["index", "notes", "--out", "notes.bsx"]).current_dir(directory.path()).output();
    assert!(indexed.unwrap().status.success());
    let examples: Vec<&[&str]> = lines.chunks(2).collect();
    for (example, expected) in examples.iter().zip(["31 metres", "Marta Lindqvist"]) {
        let args: Vec<&str> = example[0].strip_prefix("blockspan ").unwrap().split(' ').collect();
        let mut command = blockspan(&args);
        let command = command.current_dir(directory.path()).env("BLOCKSPAN_LISTEN", "127.0.0.1:0");
        let server = Server::start_command(command);

        let (request, body) = example[1].split_once(" -d '").unwrap();
        let path = request.split_once("http://127.0.0.1:8080").unwrap().1;
        assert!(request.contains("-H \"Content-Type: application/json\""), "{request}");
        let body: Value = serde_json::from_str(body.strip_suffix('\'').unwrap()).unwrap();
        let response = server.connect().send("POST", path, &[JSON], body.to_string().as_bytes()).ok();
        let answer = response["answers"][0]["text"].as_str().unwrap();
        assert!(answer.contains(expected), "{answer}");
    }
    assert_eq!(examples.len(), 2);
}
