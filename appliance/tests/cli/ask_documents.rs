//! `blockspan ask` with several files, directories and HTML; and its colors.

use std::fs;

use serde_json::{Value, json};

use crate::common::{PASSAGE, QUESTION, TempFile, ask, assert_refused, blockspan, piped, stdout, with_card};

const PAGE: &str = "<html><head><title>Lights</title><script>var built = 1700;</script></head>\n<body>\n<p>Fish &amp; chips.</p>\n\
                    <p>The lighthouse of <b>Skerry</b> was\n  built in 1911.</p></body></html>\n";

/// A directory of every kind of file; its name.
fn directory() -> (TempFile, String) {
    let first = TempFile::new("unused", b"");
    let root = first.directory.path().join("notes");
    fs::create_dir_all(root.join("deep/er")).unwrap();
    fs::create_dir(root.join(".hidden")).unwrap();
    let write = |name: &str, text: &[u8]| fs::write(root.join(name), text).unwrap();
    write("bakery.txt", b"The bakery opens at nine in the morning.");
    write("deep/er/light.MD", format!("# Lights\n\nA list.\n\n{PASSAGE}\n").as_bytes());
    write("page.html", PAGE.as_bytes());
    write("empty.txt", b"");
    write("latin.txt", b"caf\xe9");
    write("light.rs", PASSAGE.as_bytes());
    write(".light.txt", PASSAGE.as_bytes());
    write(".hidden/light.txt", PASSAGE.as_bytes());
    #[cfg(unix)]
    std::os::unix::fs::symlink("..", root.join("deep/up")).unwrap();
    let name = root.to_str().unwrap().to_owned();
    (first, name)
}

fn object(args: &[&str]) -> Value {
    let output = blockspan(&[&["ask", QUESTION, "--json"], args].concat()).output().unwrap();
    serde_json::from_str(&stdout(&output)).unwrap()
}

#[test]
fn the_best_answers_of_a_directory_come_with_file_and_line() {
    let (_keep, root) = directory();
    let found = object(&["--context-file", &root, "--top-k", "5"]);
    let answers = found["answers"].as_array().unwrap();
    let places: Vec<(String, &Value, &Value)> = answers
        .iter()
        .map(|answer| {
            (answer["document"].as_str().unwrap().replace(&root, ""), &answer["line"], &answer["text"])
        })
        .collect();
    // One answer of each file with text: neither hidden ones, nor what is no text, nor a link that leads round.
    assert_eq!(places.len(), 3, "{found}");
    let at = |name: &str| places.iter().find(|(place, ..)| place == name).unwrap();
    assert_eq!(at("/deep/er/light.MD"), &("/deep/er/light.MD".to_owned(), &json!(5), &json!("1862")));
    // The lines are those of the page.
    assert_eq!(at("/page.html"), &("/page.html".to_owned(), &json!(5), &json!("1911")));
    assert_eq!(places[2].0, "/bakery.txt");
    assert_eq!(found["unread"][0]["document"].as_str().unwrap().replace(&root, ""), "/empty.txt");

    // What a file's answer is does not depend on the others.
    let file = format!("{root}/deep/er/light.MD");
    let alone = object(&["--context-file", &file]);
    let among = answers.iter().find(|answer| answer["document"] == file).unwrap();
    for (key, value) in alone["answers"][0].as_object().unwrap() {
        assert_eq!(&among[key], value, "{key}");
    }
    assert_eq!(alone["answers"][0].as_object().unwrap().len() + 3, among.as_object().unwrap().len());
}

#[test]
fn several_files_and_directories_are_one_search_for_any_number_of_threads() {
    let (keep, root) = directory();
    let other = keep.directory.path().join("other.txt");
    fs::write(&other, "Nothing about lighthouses.\nReally nothing.").unwrap();
    let args = |threads| {
        [
            "--context-file",
            &root,
            "--context-file",
            other.to_str().unwrap(),
            "--top-k",
            "9",
            "--threads",
            threads,
        ]
    };
    let found = object(&args("1"));
    assert_eq!(found["answers"].as_array().unwrap().len(), 4);
    assert_eq!(object(&args("3")), found);

    // Standard input may be one of them.
    let piped = piped(
        &mut blockspan(&["ask", QUESTION, "--json", "--context-file", &root, "--context-file", "-"]),
        PASSAGE.as_bytes(),
    );
    let found: Value = serde_json::from_str(&stdout(&piped)).unwrap();
    assert_eq!(found["answers"].as_array().unwrap().len(), 1);
}

#[test]
fn text_names_file_and_line_and_shows_the_passage() {
    let (_keep, root) = directory();
    let output = blockspan(&["ask", QUESTION, "--context-file", &root, "--top-k", "2"]).output().unwrap();
    let text = stdout(&output);
    for (file, line, excerpt) in [
        ("deep/er/light.MD", 5, "  5 | The lighthouse on Gannet Point was built in [1862] and"),
        ("page.html", 5, "built in [1911]."),
    ] {
        assert!(text.contains(&format!("\n  {root}/{file}:{line}, margin ")), "{file} in {text}");
        assert!(text.contains(excerpt), "{excerpt} in {text}");
    }
    let notes = String::from_utf8(output.stderr).unwrap();
    let notes: Vec<&str> = notes.lines().collect();
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes[0].starts_with(&format!("note: {root}/latin.txt: not UTF-8 at byte 3")), "{notes:?}");
    assert!(notes[1].starts_with(&format!("note: {root}/empty.txt: the passage is empty")), "{notes:?}");
}

#[test]
fn the_recommended_threshold_holds_for_documents() {
    let (_keep, root) = directory();
    let text = |card: &str, more: &[&str]| {
        let model = TempFile::new("model.bspan", &with_card(card));
        let args = ["ask", QUESTION, "--context-file", &root, "--top-k", "3", "--model", model.name()];
        stdout(&blockspan(&args).args(more).output().unwrap())
    };
    let shy = "null_threshold: -1000\nanswerable_slope: -0.5\nanswerable_intercept: -2\n";
    let guess = text(shy, &[]);
    assert!(
        guess.starts_with("no answer in these documents\n  answerable ") && guess.contains("\nguess 1: "),
        "{guess}"
    );
    assert!(text(shy, &["--always-answer"]).starts_with("1. "));
    assert!(text(shy, &["--null-threshold=-1000"]).starts_with("no answer\n  null_diff "));
    assert!(text("null_threshold: 1000\n", &[]).starts_with("1. "));
}

#[test]
fn a_page_is_read_as_its_text() {
    let page = TempFile::new("page.HTM", PAGE.as_bytes());
    let found = object(&["--context-file", page.name()]);
    let text = "Lights\nFish & chips.\nThe lighthouse of Skerry was built in 1911.";
    assert_eq!(found, ask(QUESTION, text, &[]));
    let shown = stdout(&blockspan(&["ask", QUESTION, "--context-file", page.name()]).output().unwrap());
    assert!(shown.contains("  5 | The lighthouse of Skerry was built in [1911]."), "{shown}");
}

#[test]
fn color_is_for_terminals_unless_it_is_asked_for() {
    let shown = |args: &[&str], no_color: &str| {
        let mut command = blockspan(&["ask", QUESTION, "--context", PASSAGE]);
        stdout(&command.args(args).env("NO_COLOR", no_color).output().unwrap())
    };
    let plain = shown(&[], "");
    assert!(plain.contains("built in [1862] and") && !plain.contains('\x1b'), "{plain}");
    for no_color in ["", "1"] {
        assert_eq!(shown(&["--color", "auto"], no_color), plain);
        assert_eq!(shown(&["--color", "never"], no_color), plain);
        // What is asked for wins over the variable.
        let color = shown(&["--color", "always"], no_color);
        assert!(color.contains("built in \x1b[1;4;32m1862\x1b[0m and"), "{color}");
        assert_eq!(
            color.replace("\x1b[1;4;32m", "[").replace("\x1b[1m1862\x1b[0m", "1862").replace("\x1b[0m", "]"),
            plain
        );
    }
}

#[test]
fn refusals() {
    let (keep, root) = directory();
    let nothing = keep.directory.path().join("nothing");
    fs::create_dir(&nothing).unwrap();
    fs::write(nothing.join("image.png"), "").unwrap();
    let (nothing, empty) = (nothing.to_str().unwrap(), format!("{root}/empty.txt"));
    let latin = format!("{root}/latin.txt");
    for (files, parts) in [
        (&[nothing][..], &[nothing, "no text there", "name a directory"][..]),
        (&[&root, "no-such.txt"], &["no-such.txt", "cannot read the passage", "name a file"]),
        (&[&root, &latin], &[&latin, "not UTF-8 at byte 3", "convert"]),
        (&[&empty, &empty], &[&empty, "the passage is empty", "give a text"]),
    ] {
        let mut command = blockspan(&["ask", QUESTION]);
        for file in files {
            command.args(["--context-file", file]);
        }
        let output = command.output().unwrap();
        let errors: Vec<u8> = output
            .stderr
            .split_inclusive(|&byte| byte == b'\n')
            .filter(|line| !line.starts_with(b"note: "))
            .flatten()
            .copied()
            .collect();
        assert_refused(&std::process::Output { stderr: errors, ..output }, parts);
    }
    assert_refused(
        &blockspan(&["ask", QUESTION, "--context-file", &root, "--per-document", "21"]).output().unwrap(),
        &["--per-document 21", "raise --n-best"],
    );
}
