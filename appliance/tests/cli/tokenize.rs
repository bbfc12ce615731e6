//! `blockspan tokenize`: the reference implementation's tokens, line by line; refusals; streams.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use crate::common::{TempFile, assert_refused, blockspan, default_model, piped, stdout};

/// Lines, and what the `tokenizers` package (0.23.3) makes of each with all-MiniLM-L6-v2's `tokenizer.json`, its
/// offsets (in characters) counted in bytes.
const GOLDEN: [(&str, &str); 7] = [
    (
        "When was the lighthouse built?",
        r###"{"ids":[2043,2001,1996,10171,2328,1029],"tokens":["when","was","the","lighthouse","built","?"],"offsets":[[0,4],[5,8],[9,12],[13,23],[24,29],[29,30]]}"###,
    ),
    ("", r###"{"ids":[],"tokens":[],"offsets":[]}"###),
    (
        "  Zoë's Café, naïve façades: 4 000 €!\t(ÅNGSTRÖM)",
        r###"{"ids":[11199,1005,1055,7668,1010,15743,28708,1024,1018,2199,1574,999,1006,17076,15687,1007],"tokens":["zoe","'","s","cafe",",","naive","facades",":","4","000","€","!","(","ang","##strom",")"],"offsets":[[2,6],[6,7],[7,8],[9,14],[14,15],[16,22],[23,31],[31,32],[33,34],[35,38],[39,42],[42,43],[44,45],[45,49],[49,55],[55,56]]}"###,
    ),
    (
        "東京 한국 😀 word",
        r###"{"ids":[1879,1755,1469,30006,30021,29991,30014,30020,100,2773],"tokens":["東","京","ᄒ","##ᅡ","##ᆫ","##ᄀ","##ᅮ","##ᆨ","[UNK]","word"],"offsets":[[0,3],[3,6],[7,10],[7,10],[7,10],[10,13],[10,13],[10,13],[14,18],[19,23]]}"###,
    ),
    (
        "unbelievably hyperparameterizable",
        r###"{"ids":[4895,8671,2666,3567,6321,23760,28689,22828,21335,3468],"tokens":["un","##bel","##ie","##va","##bly","hyper","##para","##meter","##iza","##ble"],"offsets":[[0,2],[2,5],[5,7],[7,9],[9,12],[13,18],[18,22],[22,27],[27,30],[30,33]]}"###,
    ),
    (
        "[CLS] a [SEP] b[MASK]",
        r###"{"ids":[101,1037,102,1038,103],"tokens":["[CLS]","a","[SEP]","b","[MASK]"],"offsets":[[0,5],[6,7],[8,13],[14,15],[15,21]]}"###,
    ),
    (
        "tab\tand\u{200b}nothing \u{a0} e\u{301}clair\r",
        r###"{"ids":[21628,1998,17048,12053,14925,19771,2099],"tokens":["tab","and","##not","##hing","ec","##lai","##r"],"offsets":[[0,3],[4,7],[10,13],[13,17],[21,25],[25,28],[28,29]]}"###,
    ),
];

fn lines_and_objects() -> (String, String) {
    let join = |texts: [&str; 7]| texts.join("\n") + "\n";
    (join(GOLDEN.map(|(line, _)| line)), join(GOLDEN.map(|(_, object)| object)))
}

#[test]
fn lines_give_the_tokens_of_the_reference_implementation() {
    let (lines, objects) = lines_and_objects();
    assert_eq!(stdout(&piped(&mut blockspan(&["tokenize"]), lines.as_bytes())), objects);
    let model = default_model();
    let named = piped(&mut blockspan(&["tokenize", "--model", model.to_str().unwrap()]), lines.as_bytes());
    assert_eq!(stdout(&named), objects);
    // The last line may lack its end.
    let last = piped(&mut blockspan(&["tokenize"]), lines.strip_suffix('\n').unwrap().as_bytes());
    assert_eq!(stdout(&last), objects);
    assert_eq!(stdout(&piped(&mut blockspan(&["tokenize"]), b"")), "");
}

/// More than any buffer holds.
#[test]
fn many_lines() {
    let (lines, objects) = lines_and_objects();
    let output = piped(&mut blockspan(&["tokenize"]), lines.repeat(2000).as_bytes());
    assert!(stdout(&output) == objects.repeat(2000));
}

#[test]
fn a_line_that_is_not_utf8() {
    let output = piped(&mut blockspan(&["tokenize"]), b"When was the lighthouse built?\nCaf\xe9\n\n");
    assert_eq!(output.status.code(), Some(2));
    // What comes before it is printed.
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{}\n", GOLDEN[0].1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.starts_with("error: standard input, line 2: not UTF-8 at byte 3 of the line"), "{stderr}");
    assert_eq!(stderr.lines().count(), 1);
    let cut = piped(&mut blockspan(&["tokenize"]), b"\xe6\x9d");
    assert_refused(&cut, &["line 1", "byte 0"]);
}

/// `tokenize < /dev/zero` once filled the memory until the process was ended.
#[test]
fn a_line_without_end() {
    let output = piped(&mut blockspan(&["tokenize"]), &vec![b'a'; (1 << 26) + 2]);
    assert_refused(&output, &["standard input, line 1", "longer than 64 MiB"]);
}

#[test]
fn a_model_that_is_none() {
    let file = TempFile::new("story.txt", b"Once upon a time there was a text file.\n");
    let output = piped(&mut blockspan(&["tokenize", "--model", file.name()]), b"a\n");
    assert_refused(&output, &[file.name(), "not a .bspan model"]);
}

/// A program may keep the command running and ask line by line.
#[test]
fn each_line_is_answered_when_it_is_there() {
    let mut child = blockspan(&["tokenize"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut replies = BufReader::new(child.stdout.take().unwrap()).lines();
    for (line, object) in GOLDEN {
        stdin.write_all(format!("{line}\n").as_bytes()).unwrap();
        assert_eq!(replies.next().unwrap().unwrap(), object);
    }
    drop(stdin);
    assert!(replies.next().is_none() && child.wait().unwrap().success());
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = blockspan(&["tokenize"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    // More than the pipe and the buffers hold; it ends before all is written.
    let _ = child.stdin.take().unwrap().write_all(lines_and_objects().0.repeat(2000).as_bytes());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_standard_output() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut child =
        blockspan(&["tokenize"]).stdin(Stdio::piped()).stdout(full).stderr(Stdio::piped()).spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(b"a\n");
    assert_refused(&child.wait_with_output().unwrap(), &["standard output", "No space left"]);
}
