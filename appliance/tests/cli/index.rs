//! `blockspan index`, and `ask` and `batch` over what it writes.

use core::time::Duration;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::{Value, json};

use crate::common::{PASSAGE, QUESTION, ask, assert_refused, blockspan, piped, stdout};

/// A folder with documents, and a place for its index.
struct Folder {
    directory: tempfile::TempDir,
}

const HEIGHT: &str = "How high above the rocks is the lighthouse?";
const BAKERY: &str = "# Bakery\n\nThe bakery opens at nine. Its caf\u{e9} was founded in 1901 by Marta Lindqvist. It is closed on Mondays.\n";
const PAGE: &str = "<title>Skerry</title>\n<p>Fish &amp; chips.</p>\n<p>The other lighthouse, of <b>Skerry</b>,\nwas built in 1911.";

impl Folder {
    /// Files that were changed long ago.
    fn new() -> Self {
        let folder = Self { directory: tempfile::tempdir().unwrap() };
        fs::create_dir_all(folder.at("notes/deep/.hidden")).unwrap();
        folder.write("bakery.md", BAKERY.as_bytes());
        folder.write("deep/light.txt", format!("Lights.\n\n{PASSAGE}\n").as_bytes());
        folder.write("deep/.hidden/x.txt", b"hidden");
        folder.write("page.html", PAGE.as_bytes());
        folder
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, content: &[u8]) {
        let path = self.at("notes").join(name);
        fs::write(&path, content).unwrap();
        set_age(&path, 1000);
    }

    fn index_path(&self) -> String {
        self.at("notes.bsx").to_str().unwrap().to_owned()
    }

    /// Runs `index`; its exit status and what it says.
    fn index(&self) -> (Option<i32>, String) {
        let output = blockspan(&["index", self.at("notes").to_str().unwrap(), "--out", &self.index_path()]);
        let output = { output }.output().unwrap();
        assert!(output.stdout.is_empty(), "{output:?}");
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }

    fn ask(&self, question: &str, more: &[&str]) -> Value {
        let index = self.index_path();
        let args = [&["ask", question, "--json", "--index", &index], more].concat();
        serde_json::from_str(&stdout(&blockspan(&args).output().unwrap())).unwrap()
    }
}

fn set_age(path: &Path, seconds: u64) {
    let time = SystemTime::now() - Duration::from_secs(seconds);
    File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

#[test]
fn an_answer_cites_document_line_range_and_sentence() {
    let folder = Folder::new();
    let (status, said) = folder.index();
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("notes.bsx: 3 documents (3 read, 0 unchanged, 0 gone), 3 passages"), "{said}");
    let found = folder.ask("Who founded the caf\u{e9} of the bakery?", &[]);
    let answer = &found["answers"][0];
    assert_eq!(answer["text"], "Marta Lindqvist");
    assert_eq!((&answer["document"], &answer["line"]), (&json!("bakery.md"), &json!(3)));
    assert_eq!(answer["sentence"], "Its caf\u{e9} was founded in 1901 by Marta Lindqvist.");
    // Places count in the document, not in the passage.
    let start = BAKERY.find("Marta").unwrap();
    let place = |value: &Value| {
        ["start", "end", "start_char", "end_char", "start_utf16", "end_utf16"]
            .map(|key| value[key].as_u64().unwrap() as usize)
    };
    let end = start + "Marta Lindqvist".len();
    let char_at = |byte: usize| BAKERY[..byte].chars().count();
    assert_eq!(place(answer), [start, end, char_at(start), char_at(end), char_at(start), char_at(end)]);
    let places = answer["places"].as_array().unwrap();
    assert_eq!((places.len(), place(&places[0])), (1, place(answer)));
    assert_eq!((&places[0]["margin"], &places[0]["retrieval"]), (&answer["margin"], &answer["retrieval"]));

    // The numbers are those of the passage alone.
    let alone = ask("Who founded the caf\u{e9} of the bakery?", BAKERY.trim(), &[]);
    for key in ["text", "score", "start_logit", "end_logit"] {
        assert_eq!(answer[key], alone["answers"][0][key], "{key}");
    }
    let keys: Vec<&str> = answer.as_object().unwrap().keys().map(String::as_str).collect();
    let before: Vec<&str> = alone["answers"][0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys.len(), before.len() + 6, "document, line, margin, retrieval, sentence, places");
}

#[test]
fn a_folder_is_asked_without_an_index_and_text_shows_the_sentence() {
    let folder = Folder::new();
    folder.index();
    let notes = folder.at("notes");
    let name = notes.to_str().unwrap();
    let direct = blockspan(&["ask", QUESTION, "--folder", name, "--json", "--top-k", "3"]).output().unwrap();
    let direct = stdout(&direct).replace(&format!("{name}/"), "");
    assert_eq!(serde_json::from_str::<Value>(&direct).unwrap(), folder.ask(QUESTION, &["--top-k", "3"]));

    let text = stdout(&blockspan(&["ask", HEIGHT, "--folder", name]).output().unwrap());
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "31 metres");
    assert!(lines[1].starts_with(&format!("  {name}/deep/light.txt:3, margin ")), "{text}");
    assert_eq!(lines[3], format!("  3 | {}", PASSAGE.replace("31 metres", "[31 metres]")));
    let page = stdout(
        &blockspan(&["ask", "When was Skerry's lighthouse built?", "--folder", name]).output().unwrap(),
    );
    // The line of the page, not of its text.
    assert!(page.starts_with("1911\n") && page.contains("page.html:4, "), "{page}");
}

#[test]
fn the_same_answer_from_several_documents_is_one() {
    let folder = Folder::new();
    folder.write("copy.txt", PASSAGE.as_bytes());
    folder.write("other.txt", b"As everybody knows, the lighthouse was built in 1862.");
    folder.index();
    let found = folder.ask(QUESTION, &["--top-k", "9"]);
    let answers = found["answers"].as_array().unwrap();
    let texts: Vec<&str> = answers.iter().map(|answer| answer["text"].as_str().unwrap()).collect();
    assert_eq!(texts[0], "1862");
    assert_eq!(texts.iter().filter(|text| **text == "1862").count(), 1, "{texts:?}");
    let places = answers[0]["places"].as_array().unwrap();
    let mut documents: Vec<&str> = places.iter().map(|place| place["document"].as_str().unwrap()).collect();
    documents.sort_unstable();
    assert_eq!(documents, ["copy.txt", "deep/light.txt", "other.txt"]);
    let text = blockspan(&["ask", QUESTION, "--index", &folder.index_path()]).output().unwrap();
    assert!(stdout(&text).contains("\n  also "), "{text:?}");
}

#[test]
fn the_number_of_passages_and_of_threads() {
    let folder = Folder::new();
    folder.index();
    let index = folder.index_path();
    let verbose = |passages: &str| {
        let args = ["ask", QUESTION, "--index", &index, "--passages", passages, "-v"];
        String::from_utf8(blockspan(&args).output().unwrap().stderr).unwrap()
    };
    assert!(verbose("1").contains("passages 1, "), "{}", verbose("1"));
    assert!(verbose("9").contains("passages 2, "), "{}", verbose("9"));
    let two = folder.ask(QUESTION, &["--top-k", "5", "--threads", "2"]);
    assert_eq!(folder.ask(QUESTION, &["--top-k", "5", "--threads", "1"]), two);
    let outside = blockspan(&["ask", QUESTION, "--context", PASSAGE, "--passages", "5"]).output().unwrap();
    assert_refused(&outside, &["--passages: is for --index and --folder"]);
}

#[test]
fn no_answer_is_said() {
    let folder = Folder::new();
    folder.index();
    let index = folder.index_path();
    let said = |question: &str| stdout(&blockspan(&["ask", question, "--index", &index]).output().unwrap());
    let text = said("What is the boiling point of tungsten in a lighthouse?");
    assert!(text.starts_with("no answer in these documents\n"), "{text}");
    let text = said("Quel zzz?");
    assert_eq!(text, "no answer in these documents\n  none of them has a word of the question\n");
    let found = folder.ask("zzz", &[]);
    assert_eq!((&found["answers"], &found["null_diff"]), (&json!([]), &Value::Null));
    // It is asked all the same.
    let long = blockspan(&["ask", &"zzz ".repeat(500), "--index", &index]).output().unwrap();
    assert_refused(&long, &["the question has 1", "tokens", "shorten it"]);
    assert_refused(&blockspan(&["ask", "", "--index", &index]).output().unwrap(), &["the question is empty"]);
    let withheld = folder.ask(QUESTION, &["--null-threshold=-1000"]);
    assert_eq!(withheld["answers"], json!([]));
    assert!(withheld["null_diff"].as_f64().unwrap() < 0.0);
}

#[test]
fn an_update_reads_only_what_has_changed() {
    let folder = Folder::new();
    folder.index();
    // The same time and length: it is not read, so that nobody sees that the text is another.
    folder.write("bakery.md", BAKERY.replace("Marta Lindqvist", "Hedda Lindqvist").as_bytes());
    let light = folder.at("notes/bakery.md");
    let time = SystemTime::now() - Duration::from_secs(1000);
    File::options().write(true).open(&light).unwrap().set_modified(time).unwrap();
    folder.index();
    let founder = || folder.ask("Who founded the caf\u{e9}?", &[])["answers"][0]["text"].clone();
    assert_eq!(founder(), "Hedda Lindqvist", "another time: it is read");
    let stamp = light.metadata().unwrap().modified().unwrap();
    fs::write(&light, BAKERY.replace("Marta Lindqvist", "Berta Lindqvist")).unwrap();
    File::options().write(true).open(&light).unwrap().set_modified(stamp).unwrap();
    let (_, said) = folder.index();
    assert!(said.contains("(0 read, 3 unchanged, 0 gone)"), "{said}");
    assert_eq!(founder(), "Hedda Lindqvist", "the same time and length: it is not");

    fs::remove_file(folder.at("notes/page.html")).unwrap();
    folder.write("new.txt", b"Something about zebras.");
    folder.write("deep/light.txt", b"The lighthouse was built in 1999.");
    // Only its time is another.
    set_age(&folder.at("notes/bakery.md"), 500);
    folder.write("bakery.md", BAKERY.replace("Marta Lindqvist", "Hedda Lindqvist").as_bytes());
    let (status, said) = folder.index();
    assert!(said.contains("3 documents (2 read, 1 unchanged, 1 gone)"), "{said}");
    assert_eq!(status, Some(0));
    assert_eq!(folder.ask(QUESTION, &[])["answers"][0]["text"], "1999");

    // It has the bytes of a new one but for the time at which it was begun, and so the header's checksum.
    let updated = fs::read(folder.index_path()).unwrap();
    fs::remove_file(folder.index_path()).unwrap();
    folder.index();
    let anew = fs::read(folder.index_path()).unwrap();
    assert_eq!(updated[96..], anew[96..]);
    assert_eq!(fs::read_dir(folder.directory.path()).unwrap().count(), 2, "no temporary file stays");
}

/// A file may change twice within the grain of its time.
#[test]
fn a_file_that_was_changed_just_before_is_read_again() {
    let folder = Folder::new();
    let path = folder.at("notes/bakery.md");
    let now = SystemTime::now();
    File::options().write(true).open(&path).unwrap().set_modified(now).unwrap();
    folder.index();
    fs::write(&path, BAKERY.replace("Marta", "Berta")).unwrap();
    File::options().write(true).open(&path).unwrap().set_modified(now).unwrap();
    let (_, said) = folder.index();
    assert!(said.contains("(1 read, 2 unchanged, 0 gone)"), "{said}");
    assert_eq!(folder.ask("Who founded the caf\u{e9}?", &[])["answers"][0]["text"], "Berta Lindqvist");
}

#[test]
fn what_cannot_be_read_is_listed_and_passed_over() {
    let folder = Folder::new();
    folder.write("latin.txt", b"caf\xe9");
    folder.write("b.JPG", b"x");
    folder.write("deep/a.jpg", b"x");
    folder.write("LICENSE", b"x");
    let (status, said) = folder.index();
    assert_eq!(status, Some(3), "{said}");
    assert!(said.contains("notes/latin.txt: not UTF-8 at byte 3 (line 1); convert"), "{said}");
    assert!(
        said.contains("passed over as no text (.txt, .text, .md, .markdown, .htm, .html, .xhtml"),
        "{said}"
    );
    assert!(said.contains("): 1 without an ending, 2 .jpg\n"), "{said}");
    assert!(said.contains(" 3 documents (3 read, "), "{said}");
    fs::remove_file(folder.at("notes/latin.txt")).unwrap();
    assert_eq!(folder.index().0, Some(0), "other kinds are no failure");
}

#[cfg(not(feature = "pdf"))]
#[test]
fn a_pdf_without_the_feature_is_listed_with_the_remedy() {
    let folder = Folder::new();
    folder.write("manual.pdf", b"%PDF-1.7");
    let (status, said) = folder.index();
    assert_eq!(status, Some(3), "{said}");
    let built = "manual.pdf: this program was built without the feature pdf; build it with --features pdf, or make text";
    assert!(said.contains(built), "{said}");
    let file = folder.at("notes/manual.pdf");
    let asked = blockspan(&["ask", QUESTION, "--context-file", file.to_str().unwrap()]).output().unwrap();
    assert_refused(&asked, &["manual.pdf: this program was built without the feature pdf"]);
}

#[test]
fn batch_asks_an_index_what_ask_asks_it() {
    let folder = Folder::new();
    folder.index();
    let questions =
        [QUESTION, "Who founded the caf\u{e9}?", "zzz", "", "When was Skerry's lighthouse built?"];
    // A passage of the input is passed over.
    let line = |(id, question): (usize, &&str)| {
        json!({ "id": id, "question": question, "context": 7 }).to_string() + "\n"
    };
    let input: String = questions.iter().enumerate().map(line).collect();
    let index = folder.index_path();
    for sessions in ["1", "3"] {
        let args =
            ["batch", "-", "--index", &index, "--top-k", "2", "--passages", "2", "--sessions", sessions];
        let output = piped(&mut blockspan(&args), input.as_bytes());
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        let lines: Vec<Value> = String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), questions.len());
        for (number, (question, mut line)) in questions.iter().zip(lines).enumerate() {
            assert_eq!(line["id"], number);
            if question.is_empty() {
                assert_eq!(line["error"], "the question is empty; ask something");
                continue;
            }
            line.as_object_mut().unwrap().remove("id");
            assert_eq!(line, folder.ask(question, &["--top-k", "2", "--passages", "2"]));
        }
    }
    for (name, content) in [
        ("q.csv", format!("question,context,context_file\n{HEIGHT},,\n")),
        ("q.json", json!({ "data": [{ "paragraphs": [{ "context": "x", "qas": [{ "id": "1", "question": HEIGHT, "answers": [] }] }] }] }).to_string()),
    ] {
        fs::write(folder.at(name), content).unwrap();
        let output = blockspan(&["batch", folder.at(name).to_str().unwrap(), "--index", &index]).output().unwrap();
        assert!(stdout(&output).contains("\"text\":\"31 metres\""), "{name}");
    }
    let outside =
        blockspan(&["batch", folder.at("q.csv").to_str().unwrap(), "--passages", "2"]).output().unwrap();
    assert_refused(&outside, &["--passages: is for --index"]);
}

#[test]
fn what_is_no_index_is_refused_with_the_place() {
    let folder = Folder::new();
    folder.index();
    let whole = fs::read(folder.index_path()).unwrap();
    let refused = |content: &[u8], parts: &[&str]| {
        fs::write(folder.index_path(), content).unwrap();
        let output = blockspan(&["ask", QUESTION, "--index", &folder.index_path()]).output().unwrap();
        assert_refused(&output, &[&["notes.bsx: "], parts].concat());
    };
    let flipped = |at: usize| {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        changed
    };
    refused(&whole[..whole.len() - 1], &["the file is incomplete, copy it again"]);
    refused(&[whole.as_slice(), b"12345678"].concat(), &["something was appended"]);
    refused(&flipped(8), &["format version 0", "make the index again"]);
    refused(&flipped(40), &["damaged header: its checksum differs"]);
    let text = whole.windows(PASSAGE.len()).position(|part| part == PASSAGE.as_bytes()).unwrap();
    refused(&flipped(text), &["damaged section text: its checksum differs"]);
    refused(&flipped(whole.len() - 1), &[]);
    refused(b"", &["not an index (wrong magic number); make one"]);
    refused(b"\x89BSPAN\r\n...", &["not an index"]);

    let index =
        |folder_name: &str, out: &str| blockspan(&["index", folder_name, "--out", out]).output().unwrap();
    let (notes, place) = (folder.at("notes"), folder.index_path());
    let notes = notes.to_str().unwrap();
    // Foreign files are not written over; damaged indexes are made anew.
    assert_refused(&index(notes, &place), &["notes.bsx: is there, and is no index; name another file"]);
    assert_eq!(fs::read(&place).unwrap(), b"\x89BSPAN\r\n...");
    fs::write(&place, flipped(text)).unwrap();
    let output = index(notes, &place);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.contains("all files are read again"), "{said}");
    assert!(said.contains("(3 read, 0 unchanged"), "{said}");

    assert_refused(&index("no/such", &place), &["no/such: cannot read the folder: "]);
    assert_refused(&index(&place, &place), &["is no folder; name one"]);
    assert_refused(&index(notes, "/no/such/place.bsx"), &["/no/such/place.bsx: cannot write: "]);
    let empty = folder.at("empty");
    fs::create_dir(&empty).unwrap();
    fs::write(empty.join("x.txt"), b"\xff").unwrap();
    assert_refused(&index(empty.to_str().unwrap(), &place), &["no text there (", "x.txt: not UTF-8"]);
    let asked = |args: &[&str]| blockspan(&[&["ask", QUESTION], args].concat()).output().unwrap();
    assert_refused(&asked(&["--index", notes]), &["notes: is a directory; make an index of it"]);
    assert_refused(&asked(&["--index", "none.bsx"]), &["none.bsx: cannot open the index: "]);
    assert_refused(&asked(&["--folder", &place]), &["is no folder; name one"]);
    assert_eq!(asked(&["--index", &place, "--context", "x"]).status.code(), Some(2));
}
