//! What goes in comes out.

use crate::common::{SOURCES, build, index, source};

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
