//! PDF files, in a command that was built to read them.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::common::{PASSAGE, QUESTION, assert_refused, blockspan, stdout};
use crate::pdf_writer::{HELVETICA, Pdf, drawn, spaces, stream, zlib};

/// A folder for files.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, content: &[u8]) -> String {
        fs::write(self.path(name), content).unwrap();
        self.path(name).to_str().unwrap().to_owned()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Why a file is refused when it is asked.
    fn refusal(&self, content: &[u8]) -> String {
        let file = self.write("x.pdf", content);
        let output = blockspan(&["ask", QUESTION, "--context-file", &file]).output().unwrap();
        assert_refused(&output, &["x.pdf: "]);
        String::from_utf8(output.stderr).unwrap()
    }
}

fn json(args: &[&str]) -> Value {
    serde_json::from_str(&stdout(&blockspan(args).output().unwrap())).unwrap()
}

/// The passage in lines of some words.
fn wrapped() -> String {
    let words: Vec<&str> = PASSAGE.split(' ').collect();
    words.chunks(8).map(|line| line.join(" ")).collect::<Vec<_>>().join("\n")
}

/// Three pages, of which the last is compressed; a title.
fn manual() -> Vec<u8> {
    let mut pdf = Pdf::new();
    let front = pdf.page(&stream("", &drawn("The harbor (old \\ new)\nwith its caf\u{e9}")));
    let empty = pdf.page(&stream("", b"q Q"));
    let last = pdf.page(&stream("/Filter /FlateDecode", &zlib(&drawn(&wrapped()))));
    pdf.pages(&[front, empty, last]);
    let title = pdf.add(b"<< /Title (Lanterns\n and more) >>");
    pdf.trailer = format!("/Info {title} 0 R");
    pdf.bytes()
}

#[test]
fn an_answer_cites_its_page() {
    let folder = Folder::new();
    let file = folder.write("manual.PDF", &manual());
    let alone = json(&["ask", QUESTION, "--context-file", &file, "--json"]);
    let answer = &alone["answers"][0];
    assert_eq!(
        (&answer["text"], &answer["page"], &answer["line"]),
        (&"1862".into(), &3.into(), &Value::Null)
    );
    let args = ["ask", QUESTION, "--context-file", &file, "--json"];
    let line = stdout(&blockspan(&args).output().unwrap());
    assert!(line.contains(",\"page\":3}],\"null_diff\":"), "behind all others: {line}");
    let text = stdout(&blockspan(&["ask", QUESTION, "--context-file", &file]).output().unwrap());
    assert!(text.starts_with("1862\n  page 3\n") && text.contains("\n  3 | "), "{text}");

    let other = folder.write("other.txt", b"Nothing about it.");
    let several = ["ask", QUESTION, "--context-file", &file, "--context-file", &other];
    let found = json(&[&several[..], &["--json", "--top-k", "2"]].concat());
    let answer = &found["answers"][0];
    assert_eq!(
        (&answer["text"], &answer["page"], &answer["line"]),
        (&"1862".into(), &3.into(), &Value::Null)
    );
    assert_eq!(found["answers"][1]["line"], 1);
    let text = stdout(&blockspan(&several).output().unwrap());
    assert!(text.contains("manual.PDF, page 3, margin "), "{text}");

    let index = folder.path("x.bsx").to_str().unwrap().to_owned();
    let notes = folder.0.path().to_str().unwrap().to_owned();
    let made = blockspan(&["index", &notes, "--out", &index]).output().unwrap();
    let said = String::from_utf8(made.stderr).unwrap();
    assert_eq!(made.status.code(), Some(0), "{said}");
    let found = json(&["ask", QUESTION, "--index", &index, "--json"]);
    let answer = &found["answers"][0];
    assert_eq!((&answer["document"], &answer["page"]), (&"manual.PDF".into(), &3.into()));
    assert_eq!((&answer["places"][0]["page"], &answer["line"]), (&3.into(), &Value::Null));
    let text = stdout(&blockspan(&["ask", QUESTION, "--folder", &notes]).output().unwrap());
    assert!(text.contains("/manual.PDF, page 3, margin "), "{text}");
    // The title counts for the search.
    assert_eq!(
        json(&["ask", "lanterns?", "--index", &index, "--json"])["answers"][0]["document"],
        "manual.PDF"
    );
}

/// What the command reads is the text that `batch` gives the places of.
#[test]
fn the_text_is_that_of_the_pages() {
    let folder = Folder::new();
    folder.write("manual.pdf", &manual());
    let line = serde_json::json!({ "question": QUESTION, "context_file": "manual.pdf" });
    let questions = folder.write("q.jsonl", line.to_string().as_bytes());
    let found = json(&["batch", &questions]);
    let expected = format!("The harbor (old \\ new)\nwith its caf\u{e9}\n\n{}", wrapped());
    let start = found["answers"][0]["start"].as_u64().unwrap() as usize;
    assert_eq!(&expected[start..start + 4], "1862");
    assert_eq!(
        found["answers"][0]["start_char"].as_u64().unwrap() as usize,
        start - 1,
        "of one letter of two bytes"
    );
}

#[test]
fn letters_are_found_by_the_map_to_unicode_and_in_forms() {
    let folder = Folder::new();
    let mut pdf = Pdf::new();
    // Letters by numbers of two bytes, from 3 on for a space.
    let letters: String = PASSAGE.chars().map(|c| format!("{:04x}", u32::from(c) - 29)).collect();
    let page = pdf.page(&stream("", b"q 1 0 0 1 10 20 cm /X1 Do Q"));
    // The page looks for a font and a form in the next objects.
    let (descendant, map) = (page + 3, page + 4);
    pdf.add(
        format!(
            "<< /Type /Font /Subtype /Type0 /BaseFont /Some /Encoding /Identity-H /DescendantFonts [{descendant} 0 R] \
             /ToUnicode {map} 0 R >>"
        )
        .as_bytes(),
    );
    pdf.add(&stream(
        "/Type /XObject /Subtype /Form /BBox [0 0 600 800]",
        format!("BT /F2 1 Tf 12 0 0 12 72 770 Tm [<{letters}> -300 <0200>] TJ ET").as_bytes(),
    ));
    pdf.add(
        b"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /Some /DW 500 /CIDSystemInfo << /Registry (Adobe) /Ordering \
          (Identity) /Supplement 0 >> >>",
    );
    pdf.add(&stream(
        "",
        b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /x def\n\
          1 begincodespacerange <0000> <ffff> endcodespacerange\n\
          1 beginbfrange <0003> <0061> <0020> endbfrange\n1 beginbfchar <0200> <00660066> endbfchar\n\
          endcmap end end",
    ));
    pdf.pages(&[page]);
    let file = folder.write("x.pdf", &pdf.bytes());
    let from_pdf = json(&["ask", QUESTION, "--context-file", &file, "--json"]);
    let mut plain = json(&["ask", QUESTION, "--context", &format!("{PASSAGE} ff"), "--json"]);
    for answer in plain["answers"].as_array_mut().unwrap() {
        answer.as_object_mut().unwrap().insert("page".into(), 1.into());
    }
    assert_eq!(from_pdf, plain);
}

#[test]
fn what_is_no_text_is_refused_with_the_file_and_the_remedy() {
    let folder = Folder::new();
    let whole = Pdf::of_pages(&[PASSAGE]).bytes();
    let refused = |content: &[u8], expected: &str| {
        let said = folder.refusal(content);
        assert!(said.contains(expected), "{said}, not {expected}");
    };
    refused(b"", "is no PDF, since it does not begin with %PDF-; give it its right name");
    refused(PASSAGE.as_bytes(), "is no PDF");
    refused(b"%PDF-1.7\n%%EOF", "the PDF is damaged: it has no pages; copy it again");
    refused(&whole[..60], "the PDF is damaged");
    let noise: Vec<u8> = (0u32..5000).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    refused(&[b"%PDF-1.7\n", noise.as_slice()].concat(), "the PDF is damaged");
    refused(&Pdf::of_pages(&[""]).bytes(), "has no text, but perhaps pictures of text; recognize it first");
    let mut locked = Pdf::of_pages(&[PASSAGE]);
    let key = "ab".repeat(32);
    locked.trailer =
        format!("/ID [<00> <00>] /Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <{key}> /U <{key}> >>");
    refused(&locked.bytes(), "is encrypted, and opens with a password only; save it without one");
}

/// Where a file was cut or changed, it has some of its text, or is refused; the command ends as it should.
#[test]
fn damage_anywhere_is_an_error_or_less_text() {
    let folder = Folder::new();
    let whole = manual();
    let mut names = Vec::new();
    for at in (0..whole.len()).step_by(whole.len() / 40) {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x15;
        names.push(folder.write(&format!("cut{at}.pdf"), &whole[..at]));
        names.push(folder.write(&format!("flipped{at}.pdf"), &flipped));
    }
    folder.write("whole.txt", PASSAGE.as_bytes());
    let notes = folder.0.path().to_str().unwrap();
    let made = blockspan(&["index", notes, "--out", "-"]).output().unwrap();
    let said = String::from_utf8(made.stderr).unwrap();
    assert!(matches!(made.status.code(), Some(0 | 3)), "{said}");
    let failed =
        said.lines().filter(|line| line.starts_with("note: ") && line.ends_with("; passed over")).count();
    assert!(said.contains(&format!(" {} documents (", names.len() + 1 - failed)), "{said}");
    assert!(failed > 10 && failed < names.len(), "{said}");
}

/// Files that are made to take for ever, or all memory there is.
#[test]
fn files_without_bounds_end() {
    let folder = Folder::new();
    let deep = |open: &str, close: &str| {
        let content =
            format!("{}1{} q {} Q", open.repeat(200_000), close.repeat(200_000), "q ".repeat(200_000));
        let mut pdf = Pdf::of_pages(&[PASSAGE]);
        let page = pdf.page(&stream("", content.as_bytes()));
        let nested = pdf.add(content.as_bytes());
        let text = pdf.page(&stream("", &drawn(PASSAGE)));
        pdf.pages(&[page, nested, text]);
        folder.write("deep.pdf", &pdf.bytes())
    };
    for file in [deep("[", "]"), deep("<</a ", ">>"), deep("(", ")")] {
        let answered = json(&["ask", QUESTION, "--context-file", &file, "--json"]);
        assert_eq!(answered["answers"][0]["text"], "1862");
    }

    // A page tree, a form and a font that hold themselves.
    let mut circle = Pdf::new();
    let page = circle.page(&stream("", b"/X1 Do BT /F2 1 Tf (x) Tj ET"));
    circle.add(HELVETICA.replace("/WinAnsiEncoding", &format!("{} 0 R", page + 1)).as_bytes());
    let form = stream("/Subtype /Form /BBox [0 0 9 9]", &[b"/X1 Do ".repeat(9), drawn("once")].concat());
    circle.add(&form);
    circle.pages(&[2, page, 2]);
    let said = folder.refusal(&circle.bytes());
    assert!(said.contains("the PDF draws more than 1000000 forms; print it anew"), "{said}");

    // A page that has the same 10 MB over and over.
    let mut often = Pdf::new();
    let content = often.add(&stream("/Filter /FlateDecode", &spaces(40_000)));
    let list = format!("{content} 0 R ").repeat(1000);
    let page = format!("<< /Type /Page /Parent 2 0 R /Contents [{list}] >>");
    let page = often.add(page.as_bytes());
    often.pages(&[page]);
    assert!(folder.refusal(&often.bytes()).contains("draws more than 128 MiB"));
}

/// Where the system can limit memory. A gigabyte from 4 MB.
#[cfg(target_os = "linux")]
#[test]
fn a_stream_that_unpacks_to_more_than_memory_is_refused() {
    let folder = Folder::new();
    let mut pdf = Pdf::new();
    let page = pdf.page(&stream("/Filter /FlateDecode", &spaces(4_300_000)));
    pdf.pages(&[page]);
    let said = folder.refusal(&pdf.bytes());
    assert!(said.contains("takes more than 1024 MiB of memory or 60 s"), "{said}");
}
