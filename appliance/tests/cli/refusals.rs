//! Bad input: one line that names the file and the reason, exit status 2, no panic.

use blockspan_engine::{Isa, kernels_for};
use serde_json::Value;

use crate::common::{
    PASSAGE, QUESTION, TempFile, assert_refused, blockspan, default_model, piped, stdout, with_section,
};

#[track_caller]
fn ask_refused(more: &[&str], parts: &[&str]) {
    let mut args = vec!["ask", QUESTION, "--context", PASSAGE];
    args.extend(more);
    assert_refused(&blockspan(&args).output().unwrap(), parts);
}

/// Every command that reads a model refuses it in the same words.
#[track_caller]
fn model_refused(name: &str, bytes: &[u8], reason: &str) {
    let file = TempFile::new(name, bytes);
    ask_refused(&["--model", file.name()], &[file.name(), reason]);
    let inspect = blockspan(&["inspect", file.name()]).output().unwrap();
    assert_refused(&inspect, &[file.name(), reason]);
}

#[test]
fn files_that_are_not_there() {
    for (args, name) in [
        (["ask", "q", "--context", "c", "--model", "/no/such.bspan"], "/no/such.bspan"),
        (["ask", "q", "--threads", "1", "--context-file", "no-such.txt"], "no-such.txt"),
        (["eval", "no-such.json", "--n-best", "20", "--threads", "1"], "no-such.json"),
    ] {
        let output = blockspan(&args).output().unwrap();
        assert_refused(&output, &[&format!("{name}: "), "No such file"]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(stderr.matches("No such file").count(), 1, "{stderr}");
    }
    assert_refused(&blockspan(&["inspect", "no.bspan"]).output().unwrap(), &["no.bspan: ", "No such file"]);
}

#[test]
fn directories_in_place_of_files() {
    let directory = tempfile::tempdir().unwrap();
    let name = directory.path().to_str().unwrap();
    ask_refused(&["--model", name], &[name, "directory"]);
    for args in [["ask", "q", "--context-file", name].as_slice(), &["eval", name], &["inspect", name]] {
        assert_refused(&blockspan(args).output().unwrap(), &[name, "directory"]);
    }
}

#[test]
fn models_that_are_cut_short() {
    let bytes = std::fs::read(default_model()).unwrap();
    for length in [8, 100, 128, 1000, bytes.len() / 2, bytes.len() - 1] {
        model_refused("cut.bspan", &bytes[..length], "the file is incomplete");
    }
    model_refused("nothing.bspan", b"", "not a .bspan model");
    let longer = [bytes.as_slice(), b"\0"].concat();
    model_refused("longer.bspan", &longer, "bytes");
}

#[test]
fn files_that_are_no_models() {
    model_refused("story.txt", b"Once upon a time there was a text file.\n", "not a .bspan model");
    let mut bytes = std::fs::read(default_model()).unwrap();
    bytes[8..12].copy_from_slice(&99u32.to_le_bytes());
    model_refused("later.bspan", &bytes, "format version 99");
}

#[test]
fn a_flipped_bit_is_found_and_its_section_named() {
    let mut bytes = std::fs::read(default_model()).unwrap();
    let report: Value =
        serde_json::from_str(&stdout(&blockspan(&["inspect", "--json"]).output().unwrap())).unwrap();
    let sections = report["sections"].as_array().unwrap();
    assert!(sections.len() > 9);
    // One layer's sections, and those around the layers.
    for section in sections.iter().filter(|s| !s["name"].as_str().unwrap().starts_with("layer.1")) {
        let number = |key: &str| section[key].as_u64().unwrap() as usize;
        let at = number("offset") + number("bytes") / 2;
        bytes[at] ^= 0x10;
        let file = TempFile::new("flipped.bspan", &bytes);
        let name = section["name"].as_str().unwrap();
        assert_refused(&blockspan(&["inspect", file.name()]).output().unwrap(), &[file.name(), name]);
        bytes[at] ^= 0x10;
    }
    for at in [24, 60, 110, 125, 150] {
        bytes[at] ^= 0x10;
        model_refused("flipped.bspan", &bytes, "damaged header");
        bytes[at] ^= 0x10;
    }
}

#[test]
fn empty_passages_and_questions() {
    for empty in ["", " \n\t", "\u{200b}"] {
        let output = blockspan(&["ask", QUESTION, "--context", empty]).output().unwrap();
        assert_refused(&output, &["--context: ", "passage is empty"]);
        let output = blockspan(&["ask", empty, "--context", PASSAGE]).output().unwrap();
        assert_refused(&output, &["question is empty"]);
        let file = TempFile::new("nothing.txt", empty.as_bytes());
        let output = blockspan(&["ask", QUESTION, "--context-file", file.name()]).output().unwrap();
        assert_refused(&output, &[file.name(), "passage is empty"]);
    }
    assert_refused(&blockspan(&["ask", QUESTION]).output().unwrap(), &["standard input", "passage is empty"]);
}

#[test]
fn a_question_that_leaves_no_room() {
    let question = "why ".repeat(400);
    assert_refused(
        &blockspan(&["ask", &question, "--context", PASSAGE]).output().unwrap(),
        &["400 tokens", "--max-query-length", "--doc-stride"],
    );
}

#[test]
fn passages_that_are_not_utf8() {
    let latin = b"Line one.\nCaf\xe9 two.";
    let file = TempFile::new("latin1.txt", latin);
    let output = blockspan(&["ask", QUESTION, "--context-file", file.name()]).output().unwrap();
    assert_refused(&output, &[file.name(), "not UTF-8 at byte 13 (line 2)"]);
    let output = piped(&mut blockspan(&["ask", QUESTION]), latin);
    assert_refused(&output, &["standard input", "not UTF-8 at byte 13 (line 2)"]);
}

#[test]
fn data_that_is_no_squad_file() {
    for (json, place) in [
        ("{\"data\": [\n  {\"paragraphs\": [}]\n}", "line 2 column"),
        ("{\"data\": [", "line 1 column 10: the file ends"),
        ("{\"rows\": []}", "no question"),
        ("{\"lines\": []}", "the fields lines; expected SQuAD"),
        ("[1, 2]", "a list that holds a number"),
        ("", "the file is empty"),
        ("{\"data\": []}", "no question"),
    ] {
        let file = TempFile::new("data.json", json.as_bytes());
        assert_refused(&blockspan(&["eval", file.name()]).output().unwrap(), &[file.name(), place]);
    }
}

#[test]
fn predictions_that_cannot_be_written() {
    let data = TempFile::new(
        "data.json",
        br#"{"data": [{"paragraphs": [{"context": "a b", "qas":
        [{"id": "1", "question": "c", "answers": []}]}]}]}"#,
    );
    let directory = data.directory.path().to_str().unwrap();
    for (name, reason) in [
        ("/no/such/directory/out.json", "No such file"),
        (directory, "it is a directory"),
        ("/dev/null", "not a regular"),
    ] {
        let output = blockspan(&["eval", data.name(), "--predictions", name]).output().unwrap();
        assert_refused(&output, &[name, "cannot write", reason]);
    }
    assert_eq!(std::fs::read_dir(directory).unwrap().count(), 1, "nothing is left behind");
}

#[test]
fn instruction_sets_that_the_machine_lacks() {
    let missing = Isa::ALL.into_iter().find(|&isa| kernels_for(isa).is_none()).unwrap();
    let name = missing.name();
    ask_refused(&["--isa", name], &[&format!("--isa {name}"), "have: scalar"]);
    ask_refused(&["--isa", "mmx"], &["--isa mmx", "scalar sse41 avx2"]);
    let mut command = blockspan(&["ask", QUESTION, "--context", PASSAGE]);
    let output = command.env("BLOCKSPAN_ISA", name).output().unwrap();
    assert_refused(&output, &[&format!("BLOCKSPAN_ISA={name}"), "have: scalar"]);
    // The flag wins: then the variable is not even read.
    for args in
        [["ask", QUESTION, "--context", PASSAGE].as_slice(), &["bench", "--tokens", "8", "--repeat", "1"]]
    {
        for value in [name, "mmx"] {
            let output =
                blockspan(args).args(["--isa", "scalar"]).env("BLOCKSPAN_ISA", value).output().unwrap();
            assert!(output.status.success(), "{output:?}");
            let refused = blockspan(args).env("BLOCKSPAN_ISA", value).output().unwrap();
            assert_refused(&refused, &[&format!("BLOCKSPAN_ISA={value}")]);
        }
    }
}

#[test]
fn options_that_do_not_fit_the_model() {
    ask_refused(&["--max-seq-len", "513"], &["--max-seq-len 513", "8 to 512"]);
    ask_refused(&["--max-seq-len", "7"], &["--max-seq-len 7"]);
    ask_refused(&["--doc-stride", "384"], &["--doc-stride 384", "384"]);
    ask_refused(&["--top-k", "21"], &["--top-k 21", "--n-best"]);
}

/// What clap refuses: usage follows the error, the status is the same.
#[test]
fn command_lines_that_make_no_sense() {
    for args in [
        ["ask", QUESTION, "--frobnicate"].as_slice(),
        &["ask", QUESTION, "--context", "a", "--context-file", "b"],
        &["ask", QUESTION, "--threads", "0"],
        &["ask", QUESTION, "--threads", "99999999999999999999"],
        &["ask", QUESTION, "--top-k", "0"],
        &["ask", QUESTION, "--n-best", "65"],
        &["ask", QUESTION, "--max-answer-len", "0"],
        &["ask", QUESTION, "--max-query-length", "0"],
        &["ask", QUESTION, "--null-threshold", "nan"],
        &["ask", QUESTION, "--null-threshold", "high"],
        &["ask"],
        &["answer"],
        &[],
    ] {
        let output = blockspan(args).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(!stderr.contains("panicked") && !stderr.is_empty(), "{stderr}");
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use super::*;
    use std::fs::OpenOptions;

    #[test]
    fn a_terminal_as_standard_input_is_not_waited_for() {
        // The controlling side of a new pseudo-terminal is a terminal too.
        let terminal = OpenOptions::new().read(true).write(true).open("/dev/ptmx").unwrap();
        let output = blockspan(&["ask", QUESTION]).stdin(terminal).output().unwrap();
        assert_refused(&output, &["no passage", "--context"]);
    }

    #[test]
    fn a_device_as_model() {
        ask_refused(&["--model", "/dev/zero"], &["/dev/zero: ", "not a regular file"]);
    }

    #[test]
    fn a_full_disk_behind_standard_output() {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = blockspan(&["ask", QUESTION, "--context", PASSAGE]).stdout(full).output().unwrap();
        assert_refused(&output, &["standard output", "No space left"]);
    }

    #[test]
    fn a_closed_standard_error_is_no_panic() {
        let full = || OpenOptions::new().write(true).open("/dev/full").unwrap();
        let refused = blockspan(&["ask", "", "--context", PASSAGE]).stderr(full()).status().unwrap();
        assert_eq!(refused.code(), Some(2));
        let verbose = blockspan(&["ask", QUESTION, "--context", PASSAGE, "-v"]).stderr(full()).output();
        assert!(verbose.unwrap().status.success());
    }

    #[test]
    fn arguments_that_are_not_utf8() {
        use std::os::unix::ffi::OsStrExt;
        let bytes = std::ffi::OsStr::from_bytes(b"Caf\xe9");
        let output = blockspan(&["ask", QUESTION, "--context"]).arg(bytes).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"));
    }
}

/// It once printed "no span fits" and exit status 0.
#[test]
fn a_model_whose_numbers_overflow() {
    // f32 weights and biases of the head.
    let largest = |section: &mut [u8]| section.as_chunks_mut().0.fill(f32::MAX.to_le_bytes());
    let file = TempFile::new("overflow.bspan", &with_section("qa_outputs", largest));
    let args = ["ask", QUESTION, "--context", PASSAGE, "--model", file.name()];
    assert_refused(&blockspan(&args).output().unwrap(), &[file.name(), "overflow"]);
}

/// A stride as long as the window once led to the advice to give `--max-query-length 0`.
#[test]
fn a_stride_that_leaves_no_room_for_a_question() {
    let output = blockspan(&["ask", QUESTION, "--context", PASSAGE, "--doc-stride", "383"]).output().unwrap();
    assert_refused(&output, &["--doc-stride"]);
    assert!(!String::from_utf8(output.stderr).unwrap().contains("--max-query-length"));
}
