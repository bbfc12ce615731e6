//! Texts that begin with a hyphen, `-` as a name, and options that are misspelt or were forgotten.

use crate::common::{PASSAGE, QUESTION, TempFile, assert_refused, blockspan, default_model, piped, stdout};

/// The first answer, however sure the model is that there is none in so short a text.
fn answer(args: &[&str]) -> String {
    let args = [&["ask", "--always-answer"], &args[1..]].concat();
    stdout(&blockspan(&args).output().unwrap()).lines().next().unwrap().to_owned()
}

#[track_caller]
fn usage_error(args: &[&str], parts: &[&str]) {
    let output = blockspan(args).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{args:?}: {output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    let stderr = String::from_utf8(output.stderr).unwrap();
    for part in parts {
        assert!(stderr.contains(part), "{args:?}: no {part:?} in: {stderr}");
    }
}

#[test]
fn a_passage_may_begin_with_a_hyphen() {
    let question = "When was it built?";
    for passage in
        ["- Built in 1862.", "-built in 1862.", "--built in 1862.", "-5 °C in 1862.", "— built in 1862."]
    {
        assert_eq!(answer(&["ask", "--context", passage, question]), "1862", "{passage}");
        assert_eq!(answer(&["ask", question, "--context", passage]), "1862", "{passage}");
        assert_eq!(answer(&["ask", question, &format!("--context={passage}")]), "1862", "{passage}");
    }
    let file = TempFile::new("list.txt", b"- The house was built in 1862.\n");
    assert_eq!(answer(&["ask", "--context-file", file.name(), question]), "1862");
}

#[test]
fn a_question_may_begin_with_a_hyphen() {
    for question in
        ["- When was it built?", "-when was it built?", "--when was it built?", "-how old, built when?"]
    {
        assert_eq!(answer(&["ask", "--context", "Built in 1862.", question]), "1862", "{question}");
        assert_eq!(answer(&["ask", question, "--context", "- Built in 1862."]), "1862", "{question}");
    }
    // One word, which could be an option, after the sign that no option follows.
    assert_eq!(answer(&["ask", "--context", "Built in 1862.", "--", "--when?"]), "1862");
}

#[test]
fn help_is_found_beside_texts_with_hyphens() {
    for args in [
        ["ask", "-h"].as_slice(),
        &["ask", "--help"],
        &["ask", "- When was it built?", "-h"],
        &["ask", "--context", "- Built in 1862.", "-h"],
    ] {
        let help = stdout(&blockspan(args).output().unwrap());
        assert!(help.contains("Usage: blockspan ask [OPTIONS] <QUESTION>"), "{args:?}: {help}");
    }
}

#[test]
fn a_misspelt_option_is_no_question() {
    for args in [
        ["ask", "--jsno", "--context", "a"].as_slice(),
        &["ask", "--jsno", QUESTION, "--context", "a"],
        &["ask", QUESTION, "--jsno", "--context", "a"],
        &["ask", "- When?", "--jsno", "--context", "a"],
    ] {
        usage_error(args, &["unexpected argument '--jsno' found", "similar argument exists: '--json'"]);
    }
    usage_error(&["ask", "- When?", "Where?", "--context", "a"], &["unexpected argument 'Where?' found"]);
    usage_error(&["ask", "-w", "--context", "a"], &["unexpected argument '-w' found"]);
}

#[test]
fn an_option_in_the_place_of_the_passage_is_no_passage() {
    for option in ["--json", "--threads=2", "--top-k", "-h", "--help", "-v", "--"] {
        let parts = [&format!("'--context <TEXT>' is followed by the option '{option}'"), "pipe it in"];
        usage_error(&["ask", QUESTION, "--context", option], &parts);
    }
    // Where it is meant, it can be piped in.
    let output = piped(&mut blockspan(&["ask", "What is it?"]), b"--json");
    assert!(stdout(&output).contains("  1 | [--json]\n"), "{output:?}");
}

/// As `unzstd -c model.bspan.zst | blockspan ask --model - …` gives it.
#[test]
fn a_model_may_come_on_standard_input() {
    let model = std::fs::read(default_model()).unwrap();
    let ask = ["ask", QUESTION, "--context", PASSAGE];
    let piped_in = piped(blockspan(&ask).args(["--model", "-"]), &model);
    assert_eq!(stdout(&piped_in), stdout(&blockspan(&ask).output().unwrap()));
    let inspected = stdout(&piped(&mut blockspan(&["inspect", "-"]), &model));
    let expected = stdout(&blockspan(&["inspect"]).output().unwrap());
    assert_eq!(inspected, expected.replace("the default model", "standard input"));
    let cut = piped(&mut blockspan(&["inspect", "-"]), &model[..1000]);
    assert_refused(&cut, &["standard input: ", "the file is incomplete"]);
}

#[test]
fn standard_input_holds_one_thing_at_a_time() {
    for args in [
        ["ask", QUESTION, "--model", "-"].as_slice(),
        &["ask", QUESTION, "--model", "-", "--context-file", "-"],
        &["eval", "-", "--model", "-"],
        &["tokenize", "--model", "-"],
        &["bench", "--model", "-"],
    ] {
        assert_refused(&blockspan(args).output().unwrap(), &["--model -: "]);
    }
}

#[test]
fn a_hyphen_names_standard_input() {
    let expected = stdout(&blockspan(&["ask", QUESTION, "--context", PASSAGE]).output().unwrap());
    let named = piped(&mut blockspan(&["ask", QUESTION, "--context-file", "-"]), PASSAGE.as_bytes());
    assert_eq!(stdout(&named), expected);
    let empty = blockspan(&["ask", QUESTION, "--context-file", "-"]).output().unwrap();
    assert_refused(&empty, &["standard input: ", "passage is empty"]);
}
