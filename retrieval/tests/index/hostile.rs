//! Bytes that are no index.

use blockspan_retrieval::{Index, SearchOptions};

use crate::common::{HEADER, SOURCES, TABLE, build, long, mend, section};

fn error(file: Vec<u8>) -> String {
    let error = Index::new(file).err().unwrap_or_else(|| panic!("it was taken"));
    assert_eq!(error.to_string().lines().count(), 1);
    error.to_string()
}

/// Calls everything with an index that was taken.
fn use_it(index: &Index) {
    for number in 0..index.documents() {
        let document = index.document(number).expect("a document");
        let at = [0, 1, document.text.len() / 2, document.text.len(), usize::MAX];
        assert!(at.iter().all(|&at| document.line_at(at) > 0));
        for passage in document.passages {
            assert_eq!(index.passage(passage).expect("a passage").document, number);
        }
    }
    for question in ["lighthouse", "crane nine 1862 café the opens", ""] {
        for hit in index.search(question, &SearchOptions { passages: 3, ..SearchOptions::default() }) {
            assert!(hit.score.is_finite() && index.passage(hit.passage).is_some());
        }
    }
}

#[test]
fn a_file_that_is_cut_anywhere_or_goes_on_is_refused() {
    let file = build(&SOURCES);
    for len in 0..file.len() {
        let error = error(file[..len].to_vec());
        let expected = match len {
            0..8 => "not an index",
            _ => "the file is incomplete, copy it again",
        };
        assert!(error.contains(expected), "{len}: {error}");
    }
    assert!(error([file.as_slice(), &[0]].concat()).contains("something was appended"));
}

#[test]
fn a_flipped_bit_is_noticed_and_its_section_named() {
    let file = build(&SOURCES);
    let names = ["documents", "names", "lines", "passages", "text", "terms", "term_texts", "postings"];
    for at in 0..file.len() {
        for bit in [0, 7] {
            let mut changed = file.clone();
            changed[at] ^= 1 << bit;
            let error = error(changed);
            let inside = (1..=8).find(|&number| section(&file, number).contains(&at));
            let expected = match inside {
                Some(number) => format!("damaged section {}: its checksum differs", names[number - 1]),
                None if at < 8 => "not an index".to_owned(),
                None if at < 12 => "format version".to_owned(),
                None if (16..24).contains(&at) => "bytes where".to_owned(),
                None => "damaged header: ".to_owned(),
            };
            assert!(error.contains(&expected), "{at}: {error}");
        }
    }
}

#[test]
fn with_checksums_that_fit_every_byte_is_checked_or_harmless() {
    let file = build(&SOURCES);
    let mut taken = 0;
    for at in 0..file.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff, file[at].wrapping_add(1), file[at].wrapping_sub(1)] {
            let mut changed = file.clone();
            changed[at] = value;
            mend(&mut changed);
            if let Ok(index) = Index::new(changed) {
                use_it(&index);
                taken += 1;
            }
        }
    }
    // Letters of texts, times, hashes.
    assert!(taken > 100, "{taken}");
}

/// Edits that a checksum would hide: what is said of each.
#[test]
fn what_does_not_fit_is_named() {
    let file = build(&SOURCES);
    let at = |number: usize, offset: usize| section(&file, number).start + offset;
    let last = |number: usize| section(&file, number).end;
    let cases: [(usize, &[u8], &str); 25] = [
        (12, &[95], "header_len is not 96"),
        (28, &[2], "its terms were made in another way"),
        (32, &[7], "section documents, at 0: its length"),
        (36, &[90], "section passages, at 0: its length"),
        (40, &[1], "section terms, at 0: its length"),
        (44, &[1], "reserved bytes"),
        (56, &[0xff; 4], "written_nanos"),
        (64, &[1], "words is not the number"),
        (HEADER + 4, &[1], "the section table is not in order"),
        (HEADER + 8, &[1], "a section is not where"),
        (HEADER + 16, &[0xff; 8], "a section is not where"),
        (at(1, 0), &[0xff; 8], "section documents, at 0: text_end is outside"),
        (at(1, 56 + 8), &[1, 0, 0, 0], "section documents, at 1: name_end is outside"),
        (at(1, 12), &[0xff; 4], "section documents, at 0: lines_end"),
        (at(1, 16), &[0xff; 4], "section documents, at 0: passages_end"),
        (at(1, 20), &[4], "section documents, at 0: a reserved field"),
        (at(1, 32), &[0xff; 4], "section documents, at 0: modified_nanos"),
        (at(2, 0), b"z", "section names, at 10: empty, or not behind"),
        (at(3, 12), &[0], "section lines, at 1: line 0"),
        (at(4, 4), &[0xff; 4], "section passages, at 0: not a part"),
        // Of 41 bytes.
        (at(4, 8), &[21], "section passages, at 0: its postings have another number of words"),
        (at(4, 8), &[22], "section passages, at 0: more words than there is room for"),
        (at(5, 3), &[0xff], "section text, at 3: not UTF-8"),
        (at(7, 0), b"zz", "section term_texts, at"),
        (last(8) - 1, &[0xff], "section postings, at"),
    ];
    for (place, bytes, expected) in cases {
        let mut changed = file.clone();
        changed[place..place + bytes.len()].copy_from_slice(bytes);
        mend(&mut changed);
        let error = error(changed);
        assert!(error.contains(expected), "{place}: {error}, not {expected}");
    }
    for (field, reason) in [(8, "text_end"), (0, "postings_end"), (12, "passages is not the number")] {
        let mut changed = file.clone();
        changed[at(6, field)] ^= 0x80;
        mend(&mut changed);
        assert!(error(changed).contains(&format!("section terms, at 0: {reason}")));
    }
}

#[test]
fn files_of_other_kinds_are_no_index() {
    assert!(error(b"\x89BSPAN\r\n a model".to_vec()).contains("not an index (wrong magic number)"));
    assert!(error(b"{}".to_vec()).contains("not an index"));
    let mut newer = build(&SOURCES);
    newer[8] = 2;
    assert!(error(newer).contains("format version 2, but this program reads version 1"));
    assert_eq!(long(&build(&[]), 16), build(&[]).len());
    assert!(build(&[]).len() >= TABLE);
}
