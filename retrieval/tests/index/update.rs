//! An index made from an older one.

use blockspan_retrieval::{Builder, Index, Source};

use crate::common::{SOURCES, build, index, source};

/// Keeps what is in both, adds the rest.
fn update(old: &Index, sources: &[Source<'_>]) -> Vec<u8> {
    let mut builder = Builder::updating(old, (1_700_000_000, 5));
    for source in sources {
        let same = |&number: &usize| {
            let document = old.document(number).unwrap();
            (document.name, document.text) == (source.name, source.text)
        };
        match (0..old.documents()).find(same) {
            Some(number) => builder.keep(number).unwrap(),
            None => builder.add(source).unwrap(),
        }
    }
    builder.finish().unwrap()
}

#[test]
fn an_update_has_the_bytes_of_a_new_index() {
    let more = [
        source("a/aaa.txt", "A lantern, and nothing else."),
        SOURCES[1],
        SOURCES[2],
        source("harbor.txt", "The lighthouse was sold."),
        SOURCES[5],
        source("z.txt", "zebras"),
    ];
    for (before, after) in
        [(&SOURCES[..], &more[..]), (&more, &SOURCES), (&SOURCES, &SOURCES), (&[], &more), (&more, &[])]
    {
        let updated = update(&index(before), after);
        assert_eq!(updated, build(after));
        assert!(Index::new(updated).is_ok());
    }
}

#[test]
fn what_is_not_there_is_not_kept() {
    let old = index(&SOURCES);
    let mut builder = Builder::updating(&old, (1_700_000_000, 5));
    builder.keep(99).unwrap();
    assert_eq!(builder.finish().unwrap(), build(&[]));
    let mut builder = Builder::new((1_700_000_000, 5));
    builder.keep(0).unwrap();
    assert_eq!(builder.documents(), 0);
}
