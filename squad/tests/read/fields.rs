//! Ids, answers and their places as different tools write them.

use std::collections::BTreeMap;

use crate::common::{CONTEXT, assert_base, changed, parse, qas, squad};
use blockspan_squad::{Dataset, evaluate};
use serde_json::{Value, json};

fn remove(qa: &mut Value, name: &str) {
    qa.as_object_mut().expect("an object").remove(name);
}

fn only_note(dataset: &Dataset) -> &str {
    let [note] = dataset.notes() else { panic!("{:?}", dataset.notes()) };
    assert_eq!(note.lines().count(), 1);
    note
}

#[test]
fn ids_are_made_where_there_are_none_and_a_note_says_so() {
    for without in [changed(|qa| remove(qa, "id")), changed(|qa| qa["id"] = Value::Null)] {
        let dataset = parse(without);
        assert_base(&dataset, ["question-0", "question-1", "question-2"]);
        let note = only_note(&dataset);
        assert!(note.starts_with("data.json: 3 questions without an id"), "{note}");
        assert!(note.contains("\"question-0\" for article 0, paragraph 0, question 0"), "{note}");
    }
    // One of the others is called so.
    let mut qas = qas();
    qas[2]["id"] = json!("question-1");
    remove(&mut qas[1], "id");
    assert_base(&parse(squad(&qas)), ["1", "question-1-2", "question-1"]);
}

#[test]
fn questions_with_one_id_are_scored_each_by_itself() {
    let dataset = parse(changed(|qa| qa["id"] = json!("q")));
    assert_base(&dataset, ["q", "q-2", "q-3"]);
    let note = only_note(&dataset);
    assert!(note.starts_with("data.json: 2 questions with the id of another"), "{note}");
    assert!(note.contains("\"q-2\" in place of \"q\" at article 0, paragraph 0, question 1"), "{note}");
    let right: BTreeMap<String, String> = dataset
        .questions()
        .map(|(_, question)| (question.id.clone(), question.answers[0].text.clone()))
        .collect();
    assert_eq!(evaluate(&dataset, &right).exact_match, 100.0);
    // A question that has the id which the second would get.
    let mut others = qas();
    others[0]["id"] = json!("q");
    others[1]["id"] = json!("q");
    others[2]["id"] = json!("q-2");
    assert_base(&parse(squad(&others)), ["q", "q-3", "q-2"]);
}

#[test]
fn many_questions_with_one_id_take_no_time_by_the_square() {
    let question = json!({"id": "q", "question": "?", "answers": [{"text": "1862", "answer_start": 44}]});
    let dataset = parse(squad(&vec![question; 60_000]));
    let last = dataset.questions().last().expect("a question").1;
    assert_eq!(last.id, "q-60000");
}

#[test]
fn a_start_that_is_no_number_matters_only_to_training() {
    for (start, told) in [
        (json!(-1), "answer_start -1 lies outside the context of 117 characters"),
        (json!(400), "answer_start 400 lies outside"),
        (json!(i64::MIN), "answer_start -9223372036854775808 lies outside"),
        (json!(u64::MAX), "answer_start is missing or no whole number"),
        (json!(44.5), "answer_start is missing or no whole number"),
        (json!("?"), "answer_start is missing or no whole number"),
        (json!([44]), "answer_start is missing or no whole number"),
        (Value::Null, "answer_start is missing or no whole number"),
        (json!(45), "at answer_start 45 the context reads \"862 \", not \"1862\""),
    ] {
        let mut qas = qas();
        qas[0]["answers"][0]["answer_start"] = start;
        let dataset = parse(squad(&qas));
        let right = BTreeMap::from([("1".to_owned(), "1862".to_owned())]);
        assert!(evaluate(&dataset, &right).exact_match > 33.0, "scoring needs only the text");
        let message = dataset.check_answers().expect_err("refused").to_string();
        assert!(message.contains("in 1 of 3 questions: "), "{message}");
        assert!(message.contains(&format!("article 0, paragraph 0, question 0 (1): {told}")), "{message}");
    }
    let without = changed(|qa| remove(&mut qa["answers"][0], "answer_start"));
    let alone = changed(|qa| qa["answers"] = json!([qa["answers"][0]["text"]]));
    for file in [without, alone] {
        let message = parse(file).check_answers().expect_err("refused").to_string();
        assert!(message.contains("in 3 of 3 questions: "), "{message}");
    }
}

#[test]
fn a_start_may_be_a_float_or_a_text() {
    let file = changed(|qa| {
        let start = qa["answers"][0]["answer_start"].as_f64().expect("a number");
        qa["answers"][0]["answer_start"] = json!(start);
    });
    assert!(file.to_string().contains("44.0"));
    assert_base(&parse(file), ["1", "2", "3"]);
    let file = changed(|qa| {
        qa["answers"][0]["answer_start"] = json!(qa["answers"][0]["answer_start"].to_string());
    });
    assert!(file.to_string().contains("\"44\""));
    assert_base(&parse(file), ["1", "2", "3"]);
}

#[test]
fn offsets_may_count_other_units() {
    let text = "Ä 🗼\r\nwas\r\nbuilt";
    let range = |answer: &str, answer_start: i64| {
        let answer = blockspan_squad::Answer { text: answer.into(), answer_start: Some(answer_start) };
        answer.byte_range(text).map(|range| (range.start, &text[range]))
    };
    let built = Some((14, "built"));
    assert_eq!(range("built", 10), built, "characters");
    assert_eq!(range("built", 8), built, "line ends as one character");
    assert_eq!(range("built", 11), built, "UTF-16");
    assert_eq!(range("built", 14), built, "bytes");
    for other in [-1, 7, 9, 12, 13, 15, 100] {
        assert_eq!(range("built", other), None, "{other}");
    }
    assert_eq!(range("🗼\r\nwas", 2), Some((3, "🗼\r\nwas")));
    assert_eq!(range("", 0), None, "an empty answer stands nowhere");
}

#[test]
fn offsets_of_a_file_with_crlf_may_count_line_ends_as_one() {
    let context = CONTEXT.replace("rocks. ", "rocks.\r\n");
    let qas = json!([{"id": "1", "question": "Who kept it?", "answers": [{"text": "Mara Quill", "answer_start": 87}]}]);
    let dataset = parse(json!({"data": [{"paragraphs": [{"context": context, "qas": qas}]}]}));
    dataset.check_answers().expect("counted with one character for a line end");
}

#[test]
fn wrong_offsets_are_counted_and_the_first_five_told() {
    let mut question = qas().swap_remove(0);
    let questions: Vec<Value> = (0..200)
        .map(|id| {
            question["id"] = json!(id);
            question["answers"][0]["answer_start"] = json!(if id % 25 == 24 { 43 } else { 44 });
            question.clone()
        })
        .collect();
    let mut dataset = parse(squad(&questions));
    let message = dataset.check_answers().expect_err("refused").to_string();
    assert!(message.contains(" in 8 of 200 questions: "), "{message}");
    assert_eq!(message.lines().count(), 1);
    for id in [24, 49, 74, 99, 124] {
        assert!(
            message.contains(&format!("question {id} ({id}): at answer_start 43 the context reads")),
            "{message}"
        );
    }
    assert!(!message.contains("149") && message.contains("; …; "), "{message}");
    assert_eq!(dataset.remove_bad_answers(), 8);
    assert_eq!(dataset.questions().count(), 192);
    dataset.check_answers().expect("the others are right");
}

#[test]
fn null_and_empty_texts_are_no_answers() {
    for answers in [
        Value::Null,
        json!([]),
        json!([null]),
        json!([{"text": "", "answer_start": -1}]),
        json!([{"text": "", "answer_start": 0}]),
        json!([{"text": null, "answer_start": null}]),
        json!({"text": [], "answer_start": []}),
        json!({"text": null, "answer_start": null}),
        json!({"text": [""], "answer_start": [-1]}),
        json!({}),
        json!(""),
    ] {
        for flag in [Value::Null, json!(true), json!(1), json!("True")] {
            let mut qas = qas();
            qas[1]["answers"] = answers.clone();
            qas[1]["is_impossible"] = flag.clone();
            let dataset = parse(squad(&qas));
            let (_, question) = dataset.questions().nth(1).expect("a question");
            assert!(question.is_unanswerable() && question.answers.is_empty(), "{answers} {flag}");
            assert_eq!(question.is_impossible, !flag.is_null());
            assert!(dataset.has_unanswerable() && dataset.notes().is_empty(), "{:?}", dataset.notes());
            dataset.check_answers().expect("nothing that could be wrong");
        }
    }
    let dataset = parse(changed(|qa| qa["is_impossible"] = Value::Null));
    assert!(!dataset.has_unanswerable());
    assert_base(&dataset, ["1", "2", "3"]);
}

#[test]
fn no_answers_without_the_flag_score_as_with_it() {
    let file = |flag: bool| {
        let mut qas = qas();
        for qa in &mut qas[1..] {
            qa["answers"] = json!([]);
            if flag {
                qa["is_impossible"] = json!(true);
            }
        }
        parse(squad(&qas))
    };
    for texts in [["", "", ""], ["1862", "", "no"], ["1862", "yes", "no"]] {
        let predictions: BTreeMap<String, String> =
            (1..).zip(texts).map(|(id, text): (usize, _)| (id.to_string(), text.to_owned())).collect();
        assert_eq!(evaluate(&file(true), &predictions), evaluate(&file(false), &predictions));
    }
    assert!(file(true).has_unanswerable() && file(false).has_unanswerable());
}

#[test]
fn a_file_without_any_answer_is_not_labeled() {
    for file in [changed(|qa| remove(qa, "answers")), changed(|qa| qa["answers"] = json!([]))] {
        let dataset = parse(file);
        assert!(!dataset.is_labeled() && !dataset.has_unanswerable());
        let message = dataset.check_labeled().expect_err("refused").to_string();
        assert!(message.starts_with("data.json: no question has an answer"), "{message}");
        assert!(dataset.notes().is_empty(), "{:?}", dataset.notes());
    }
    let marked = parse(changed(|qa| {
        qa["answers"] = json!([]);
        qa["is_impossible"] = json!(true);
    }));
    marked.check_labeled().expect("marked as unanswerable");
}

#[test]
fn doubtful_answers_are_noted() {
    let mut others = qas();
    remove(&mut others[1], "answers");
    let dataset = parse(squad(&others));
    let note = only_note(&dataset);
    assert!(note.starts_with("data.json: 1 question has no field answers"), "{note}");
    assert!(note.contains("article 0, paragraph 0, question 1"), "{note}");

    let dataset = parse(changed(|qa| qa["is_impossible"] = json!(true)));
    let note = only_note(&dataset);
    assert!(note.starts_with("data.json: 3 questions have answers in spite of is_impossible"), "{note}");
}
