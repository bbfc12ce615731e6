//! What goes in comes out.

use blockspan_retrieval::{Builder, Index, Layout, Source};
use proptest::prelude::*;

use crate::common::{SOURCES, build, index, source};

proptest! {
    /// Words close to each other, and what looks like one and is none.
    #[test]
    fn whatever_a_text_is_its_index_is_one(text in "[abs7 .\n'\u{2019}\u{301}\u{df}\u{e01}\u{3042}\u{4e00}\u{20000}-]{0,60}", any: String) {
        let text = text.repeat(9);
        for layout in [Layout::Prose, Layout::Lines, Layout::Markdown] {
            let mut builder = Builder::new((0, 0));
            for (name, text) in [("a", &text), ("b", &any)] {
                builder.add(&Source { name, text, layout, ..Source::default() }).unwrap();
            }
            prop_assert!(Index::new(builder.finish().unwrap()).is_ok());
        }
    }
}

#[test]
fn documents_come_back_as_they_were_added() {
    let index = index(&SOURCES);
    assert_eq!(index.documents(), SOURCES.len());
    assert_eq!(index.written(), (1_700_000_000, 5));
    for (number, source) in SOURCES.iter().enumerate() {
        let document = index.document(number).unwrap();
        assert_eq!((document.name, document.text, document.stamp), (source.name, source.text, source.stamp));
        assert_eq!(document.has_pages(), source.name == "manual.pdf");
        for passage in document.passages.clone() {
            let passage = index.passage(passage).unwrap();
            assert_eq!(passage.document, number);
            assert!(document.text[passage.start..].starts_with(passage.text));
        }
    }
    assert!(index.document(SOURCES.len()).is_none() && index.passage(index.passages() as u32).is_none());
    assert!(index.document(3).unwrap().passages.is_empty());
}

#[test]
fn places_are_lines_of_the_file_or_pages() {
    let index = index(&SOURCES);
    let line = |document: usize, needle: &str| {
        let document = index.document(document).unwrap();
        document.line_at(document.text.find(needle).unwrap())
    };
    assert_eq!((line(1, "hours"), line(1, "nine")), (3, 9));
    assert_eq!((line(2, "# Mast"), line(2, "31"), line(2, "9 t")), (1, 3, 6));
    assert_eq!((line(5, "nine"), line(5, "1901")), (1, 2));
    let lines: Vec<_> = index.document(1).unwrap().lines().collect();
    assert_eq!(lines, [(0, 3), (15, 9)]);
}

#[test]
fn equal_folders_give_equal_bytes_and_no_folder_an_index() {
    assert_eq!(build(&SOURCES), build(&SOURCES));
    let nothing = index(&[]);
    assert_eq!((nothing.documents(), nothing.passages(), nothing.words()), (0, 0, 0));
    assert!(nothing.search("anything", &Default::default()).is_empty());
    assert!(index(&[source("a", " \n")]).search("anything", &Default::default()).is_empty());
}
