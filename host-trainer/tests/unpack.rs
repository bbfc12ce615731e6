//! `unpack`: what a packed file holds comes back, and nothing is written over.

#[path = "common/command.rs"]
mod command;

use std::path::{Path, PathBuf};

use blockspan_engine::format::{Kind, SectionId};
use blockspan_engine::{AlignedBytes, Model};

use command::{run, succeeds};

fn tiny(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/tiny").join(name)
}

fn section<'a>(bytes: &'a [u8], model: &Model<'_>, id: SectionId) -> &'a [u8] {
    let entry = model.sections().find(|entry| entry.id == id).expect("the section");
    &bytes[entry.offset as usize..(entry.offset + entry.length) as usize]
}

/// Packs, unpacks and packs again; every section must come out as it was, but for the metadata, which tells where the
/// weights came from.
fn comes_back(root: &Path, model: &Path, flags: &str) {
    succeeds(root, &format!("pack --model {} --out once.bspan {flags}", model.display()));
    succeeds(root, "unpack --model once.bspan --out unpacked");
    succeeds(root, &format!("pack --model unpacked --out twice.bspan {flags}"));
    let read = |name| AlignedBytes::read_file(root.join(name)).expect("a file");
    let (once, twice) = (read("once.bspan"), read("twice.bspan"));
    let (before, after) = (Model::parse(&once).expect("a model"), Model::parse(&twice).expect("a model"));
    assert_eq!(before.config(), after.config());
    for entry in before.sections().filter(|entry| entry.id.kind != Kind::Metadata) {
        let (before, after) = (section(&once, &before, entry.id), section(&twice, &after, entry.id));
        assert!(before == after, "{:?} of {}", entry.id, model.display());
    }
}

#[test]
fn packing_what_was_unpacked_gives_the_same_weights_and_tokenizer() {
    for name in ["output-block", "input-block", "cased"] {
        for flags in ["", "--embeddings f16", "--no-smoothing"] {
            let root = tempfile::tempdir().expect("a directory");
            comes_back(root.path(), &tiny(name), flags);
        }
    }
}

#[test]
fn a_directory_with_a_model_is_left_alone() {
    let root = tempfile::tempdir().expect("a directory");
    succeeds(root.path(), &format!("pack --model {} --out model.bspan", tiny("cased").display()));
    std::fs::create_dir(root.path().join("out")).expect("a directory");
    std::fs::write(root.path().join("out/pytorch_model.bin"), "mine").expect("a file");
    let output = run(root.path(), "unpack --model model.bspan --out out");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(said, "error: out: holds a model already; name another directory with --out\n");
    assert_eq!(std::fs::read_dir(root.path().join("out")).expect("a directory").count(), 1);
}

#[test]
fn what_is_no_packed_file_is_refused_by_name() {
    let root = tempfile::tempdir().expect("a directory");
    std::fs::write(root.path().join("model.bspan"), "{}").expect("a file");
    let output = run(root.path(), "unpack --model model.bspan --out out");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.starts_with("error: model.bspan: ") && said.lines().count() == 1, "{said}");
    assert!(!root.path().join("out").exists());
}
