//! What a question finds.

use blockspan_retrieval::{Index, SearchOptions};

use crate::common::{SOURCES, index, source};

fn found(index: &Index, question: &str) -> Vec<String> {
    let hits = index.search(question, &SearchOptions::default());
    assert!(hits.is_sorted_by(|a, b| a.score >= b.score) && hits.iter().all(|hit| hit.score > 0.0));
    let name = |number: u32| {
        let passage = index.passage(number).unwrap();
        index.document(passage.document).unwrap().name.to_owned()
    };
    hits.iter().map(|hit| name(hit.passage)).collect()
}

#[test]
fn words_are_found_in_other_forms_and_titles_count() {
    let index = index(&SOURCES);
    assert_eq!(found(&index, "Which lighthouses were BUILT?")[0], "a/copy.txt");
    assert_eq!(found(&index, "Where is a cafe?"), ["b.md"]);
    // The name, the title, a heading.
    assert_eq!(found(&index, "the manual"), ["manual.pdf", "manual.pdf"][..1]);
    assert_eq!(found(&index, "bakeries"), ["a/page.html"]);
    assert_eq!(found(&index, "What of the crane is lifted?")[0], "b.md");
    // Side by side in the question and in the manual.
    assert_eq!(found(&index, "What does the crane lift?")[0], "manual.pdf");
    assert!(found(&index, "elephants").is_empty() && found(&index, "").is_empty());
}

#[test]
fn stop_words_count_only_where_there_is_nothing_else() {
    let index = index(&[source("a", "What was it?"), source("b", "The crane.")]);
    assert_eq!(found(&index, "what was the crane"), ["b"]);
    assert_eq!(found(&index, "what was the"), ["a", "b"]);
}

#[test]
fn copies_count_once_and_are_listed() {
    let index = index(&SOURCES);
    let one = SearchOptions { passages: 1, ..SearchOptions::default() };
    let hits = index.search("lighthouse of Otto", &one);
    assert_eq!((hits.len(), hits[0].copies.len()), (1, 1));
    assert_eq!(index.passage(hits[0].copies[0]).unwrap().text, index.passage(hits[0].passage).unwrap().text);
}

/// By hand: three passages of 4, 4 and 2 words; "crane" in two of them, twice in the second.
#[test]
fn scores_are_those_of_the_formula() {
    let index = index(&[
        source("1", "red crane over there"),
        source("2", "crane beside crane here"),
        source("3", "nothing else"),
    ]);
    let (k1, b, average) = (0.6, 0.75, 10.0 / 3.0);
    let idf = f64::ln(1.0 + (3.0 - 2.0 + 0.5) / (2.0 + 0.5));
    let expected = |count: f64| idf * count * (k1 + 1.0) / (count + k1 * (1.0 - b + b * 4.0 / average));
    let hits = index.search("crane", &SearchOptions::default());
    assert_eq!(hits.iter().map(|hit| hit.passage).collect::<Vec<_>>(), [1, 0]);
    for (hit, count) in hits.iter().zip([2.0, 1.0]) {
        assert!((f64::from(hit.score) - expected(count)).abs() < 1e-5, "{hit:?}");
    }
}

#[test]
fn equal_passages_come_in_their_order() {
    let texts: Vec<String> = (0..50).map(|number| format!("crane number{number}")).collect();
    let names: Vec<String> = (10..60).map(|number| format!("n/{number}")).collect();
    let mut builder = blockspan_retrieval::Builder::new((0, 0));
    for (name, text) in names.iter().zip(&texts) {
        builder.add(&blockspan_retrieval::Source { name, text, ..Default::default() }).unwrap();
    }
    let index = Index::new(builder.finish().unwrap()).unwrap();
    assert_eq!(found(&index, "crane"), &names[..20]);
}

#[test]
fn words_side_by_side_as_in_the_question_count_more() {
    let index = index(&[
        source("1", "The red crane of the harbor lifts a blue boat, says the guide."),
        source("2", "The blue crane of the harbor lifts a red boat, says the guide."),
    ]);
    let without = SearchOptions { pair_weight: 0.0, ..SearchOptions::default() };
    let plain = index.search("Which blue crane lifts?", &without);
    assert_eq!(plain[0].score, plain[1].score);
    let hits = index.search("Which blue crane lifts?", &SearchOptions::default());
    assert_eq!(hits.iter().map(|hit| hit.passage).collect::<Vec<_>>(), [1, 0]);
    // Both words are in both passages, so the pair is worth half of ln(1 + 0.5 / 2.5).
    assert!((hits[0].score - hits[1].score - 0.5 * 1.2f32.ln()).abs() < 1e-6, "{hits:?}");
    // "crane of", in the question and in both, is no pair: the second word says nothing.
    assert_eq!(
        index.search("the crane of", &SearchOptions::default()),
        index.search("the crane of", &without)
    );
}
