//! The page at the end of a run.

mod common;

use std::path::Path;
use std::process::Command;

use roxmltree::{Document, Node, ParsingOptions};

const FINETUNE: &str = "finetune --base base --train data.json --sparsity 0.5 --max-seq-len 24 --doc-stride 8 \
                        --lr 1e-3 --seed 7";

/// The page of a run in `out` with these further arguments.
fn page(root: &Path, out: &str, arguments: &str) -> String {
    common::write_base(root, 1);
    let mut command = Command::new(env!("CARGO_BIN_EXE_blockspan-trainer"));
    command.current_dir(root).args(FINETUNE.split_whitespace()).args(arguments.split_whitespace());
    let output = command.args(["--out", out]).output().expect("the binary runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read_to_string(root.join(out).join("report.html")).expect("a page")
}

/// What a browser takes as HTML must be XML too, so that every tag is closed and every text escaped.
fn parse(page: &str) -> Document<'_> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    Document::parse_with_options(page, options).expect("a well-formed page")
}

fn section<'a>(document: &'a Document<'_>, id: &str) -> Node<'a, 'a> {
    document.descendants().find(|node| node.attribute("id") == Some(id)).unwrap_or_else(|| panic!("no #{id}"))
}

fn count(node: Node<'_, '_>, name: &str) -> usize {
    node.descendants().filter(|n| n.tag_name().name() == name).count()
}

fn text(node: Node<'_, '_>) -> String {
    node.descendants().filter_map(|n| n.text().filter(|_| n.is_text())).collect::<Vec<_>>().join(" ")
}

/// Nothing is fetched when the page is opened.
fn assert_self_contained(page: &str, document: &Document<'_>) {
    for node in document.descendants() {
        assert!(!["script", "link", "img", "iframe", "object", "use"].contains(&node.tag_name().name()));
        for attribute in node.attributes() {
            assert!(
                !["href", "src", "srcset", "data", "action"].contains(&attribute.name()),
                "{attribute:?}"
            );
        }
    }
    assert!(!page.contains("url(") && !page.contains("@import"));
    let without_namespaces =
        page.replace("http://www.w3.org/2000/svg", "").replace("http://www.w3.org/1999/xhtml", "");
    assert!(!without_namespaces.contains("http"), "an address");
}

#[test]
fn it_holds_every_section_and_no_reference() {
    let root = tempfile::tempdir().expect("a directory");
    let out = "a <b> & \"c\"";
    let page = page(root.path(), out, "--epochs 6 --batch-size 2 --eval data.json --eval-every 5");
    let document = parse(&page);
    assert_self_contained(&page, &document);

    let summary = section(&document, "summary");
    assert!(text(summary).contains(out));
    let figures: Vec<_> = summary.descendants().filter(|n| n.tag_name().name() == "dt").map(text).collect();
    assert_eq!(figures, ["Exact match", "F1", "Loss, smoothed", "Pruned", "Steps", "Tokens a second"]);
    assert!(text(summary).contains("50.0 %") && text(summary).contains("18"), "{}", text(summary));

    let course = section(&document, "course");
    let plots: Vec<_> = course.descendants().filter_map(|n| n.attribute("aria-label")).collect();
    let expected =
        ["Loss", "EM and F1", "Learning rate", "Sparsity"].map(|name| format!("{name} over steps"));
    assert_eq!(plots, expected);
    // Four evaluations, at the steps 5, 10, 15 and 18, of two curves.
    assert_eq!(count(course, "circle"), 8);

    let density = section(&document, "density");
    let cells: Vec<_> = density.descendants().filter(|n| n.tag_name().name() == "td").map(text).collect();
    assert_eq!(cells, ["50.0 %"; 12]);
    assert!(text(density).contains("attention output") && text(density).contains("layer 2"));

    let predictions = section(&document, "predictions");
    assert_eq!(count(predictions, "article"), 5, "every question of the set");
    assert_eq!(count(predictions, "mark"), 5);
    assert!(text(predictions).contains("the red cat"));

    let configuration = text(section(&document, "configuration"));
    assert!(configuration.contains("--lr") && configuration.contains("0.001"), "{configuration}");
    let environment = text(section(&document, "environment"));
    assert!(
        environment.contains(env!("CARGO_PKG_VERSION")) && environment.contains("Threads"),
        "{environment}"
    );

    let left: Vec<_> = std::fs::read_dir(root.path().join(out)).expect("a directory").flatten().collect();
    assert!(!left.iter().any(|entry| entry.file_name().to_string_lossy().starts_with(".blockspan-")));
}

#[test]
fn it_does_without_an_evaluation() {
    let root = tempfile::tempdir().expect("a directory");
    let page = page(root.path(), "out", "--epochs 1 --batch-size 8");
    let document = parse(&page);
    assert_self_contained(&page, &document);
    assert_eq!(count(section(&document, "course"), "svg"), 3);
    assert_eq!(count(section(&document, "predictions"), "article"), 0);
    assert!(text(section(&document, "predictions")).contains("--eval"));
}
