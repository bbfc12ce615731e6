//! A question and many documents.

use std::path::Path;

use blockspan_reader::engine::AnswerOptions;
use blockspan_reader::{Job, RankOptions, RankedAnswer, Ranking, Reader, SharedModel};

fn reader(threads: usize) -> Reader {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/default.bspan");
    Reader::builder(SharedModel::read_file(path).unwrap()).threads(threads).build().unwrap()
}

const QUESTION: &str = "When was the lighthouse built?";

fn documents() -> Vec<String> {
    let long = "Gulls nest on the rocks below, and seals sleep on the sand. ".repeat(50);
    vec![
        "The bakery opens at nine in the morning.".into(),
        String::new(),
        "The lighthouse on Gannet Point was built in 1862 and stands 31 metres above the rocks.".into(),
        long.clone() + "The lighthouse of Skerry was built in 1911.",
        " \n ".into(),
        "Photosynthesis turns light into sugar.".into(),
        "The lighthouse on Gannet Point was built in 1862 and stands 31 metres above the rocks.".into(),
    ]
}

fn places(ranking: &Ranking) -> Vec<(usize, &str)> {
    ranking.answers.iter().map(|found| (found.document, found.answer.text.as_str())).collect()
}

#[test]
fn documents_are_ranked_by_how_far_the_answer_is_ahead_of_none() {
    let reader = reader(2);
    let options = RankOptions { top_k: 100, per_document: 3, ..RankOptions::default() };
    let ranking = reader.rank(QUESTION, documents(), &options).unwrap();
    let mut best = places(&ranking)[..3].to_vec();
    let of_equals: Vec<_> =
        best.iter().map(|found| found.0).filter(|document| [2, 6].contains(document)).collect();
    assert_eq!(of_equals, [2, 6], "equal documents are in their order");
    best.sort_unstable();
    assert_eq!(best, [(2, "1862"), (3, "1911"), (6, "1862")]);
    assert_eq!((ranking.documents, ranking.answers.len()), (7, 3 * 5));
    let unread: Vec<_> =
        ranking.unread.iter().map(|(document, error)| (*document, error.to_string())).collect();
    let empty = "the passage is empty; give a text to find the answer in".to_owned();
    assert_eq!(unread, [(1, empty.clone()), (4, empty)]);
    assert!(ranking.windows > 6);
    assert_eq!(ranking.null_diff, -ranking.answers[0].margin);
    for pair in ranking.answers.windows(2) {
        assert!(pair[0].margin >= pair[1].margin);
    }
    // Each is what the document alone says, and the best is ahead of "no answer" by minus its null difference.
    for RankedAnswer { document, margin, prior, answer } in &ranking.answers {
        let options = blockspan_reader::Options { top_k: 3, ..Default::default() };
        let reply = reader.answer(Job::new(QUESTION, documents()[*document].as_str()).with(options)).unwrap();
        assert!(reply.answers.contains(answer));
        assert_eq!(*prior, 0.0);
        let null_score = reply.null_logits[0] + reply.null_logits[1];
        assert_eq!(*margin, answer.start_logit + answer.end_logit - null_score);
        if *answer == reply.answers[0] {
            assert_eq!(*margin, -reply.null_diff);
        }
    }
    // A probability among the spans of one document says nothing about another: here it would rank otherwise.
    let mut by_score: Vec<_> = ranking.answers.iter().collect();
    by_score.sort_by(|a, b| b.answer.score.total_cmp(&a.answer.score));
    assert_ne!(
        by_score.iter().map(|found| found.document).collect::<Vec<_>>(),
        ranking.answers.iter().map(|found| found.document).collect::<Vec<_>>()
    );
}

#[test]
fn what_was_known_of_a_document_counts_when_it_is_ranked() {
    let (reader, options) = (reader(1), RankOptions::default().job_options().unwrap());
    let usual = reader.rank(QUESTION, documents(), &RankOptions::default()).unwrap();
    // As much more as the best is ahead of the worst, and a little.
    let (first, last) = (&usual.answers[0], usual.answers.last().unwrap());
    let prior = first.margin - last.margin + 0.5;
    let mut ranking = Ranking::default();
    for (number, document) in documents().into_iter().enumerate() {
        let reply = reader.answer(Job::new(QUESTION, document).with(options));
        let prior = if number == last.document { prior } else { 0.0 };
        ranking.add_with_prior(reply, prior, usize::MAX).unwrap();
    }
    assert_eq!((ranking.answers[0].document, ranking.answers[0].prior), (last.document, prior));
    assert_eq!(ranking.answers[0].margin, last.margin);
    assert_eq!(places(&ranking)[1..], places(&usual)[..usual.answers.len() - 1]);
    assert_eq!(ranking.null_diff, usual.null_diff);
}

#[test]
fn fewer_answers_are_the_first_of_many() {
    let all = RankOptions { top_k: 100, per_document: 3, ..RankOptions::default() };
    let all = reader(1).rank(QUESTION, documents(), &all).unwrap();
    let few = RankOptions { top_k: 4, per_document: 3, ..RankOptions::default() };
    for threads in [1, 3] {
        assert_eq!(reader(threads).rank(QUESTION, documents(), &few).unwrap().answers, all.answers[..4]);
    }
    let one_each = reader(2).rank(QUESTION, documents(), &RankOptions::default()).unwrap();
    let mut seen: Vec<usize> = one_each.answers.iter().map(|found| found.document).collect();
    seen.sort_unstable();
    assert_eq!(seen, [0, 2, 3, 5, 6]);
}

#[test]
fn a_document_below_the_null_threshold_has_no_answer() {
    let reader = reader(2);
    let all = reader.rank(QUESTION, documents(), &RankOptions::default()).unwrap();
    let between = -(all.answers[2].margin + all.answers[3].margin) / 2.0;
    let answer = AnswerOptions { null_threshold: between, ..AnswerOptions::default() };
    let some = reader.rank(QUESTION, documents(), &RankOptions { answer, ..RankOptions::default() }).unwrap();
    assert_eq!(places(&some).len(), 3);
    assert_eq!(places(&some), places(&all)[..3]);
    assert_eq!((some.documents, some.unread), (all.documents, all.unread));
}

#[test]
fn what_is_wrong_with_the_question_is_an_error_and_no_documents_are_no_answers() {
    let reader = reader(1);
    let error = |question: &str, options: RankOptions| {
        reader.rank(question, documents(), &options).unwrap_err().to_string()
    };
    let (usual, none) = (RankOptions::default(), AnswerOptions { n_best: 0, ..AnswerOptions::default() });
    assert_eq!(error("", usual), "the question is empty; ask something");
    assert_eq!(error(QUESTION, RankOptions { top_k: 0, ..usual }), "top_k must be at least 1");
    assert_eq!(
        error(QUESTION, RankOptions { per_document: 21, ..usual }),
        "per_document must be 1 to n_best"
    );
    assert_eq!(error(QUESTION, RankOptions { answer: none, ..usual }), "n_best must be 1 to 64");
    assert_eq!(reader.rank(QUESTION, [""; 0], &usual).unwrap(), Ranking::default());
}
