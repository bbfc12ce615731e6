//! Files of one content in the shapes that tools write.

use crate::common::{CONTEXT, QUESTIONS, assert_base, changed, parse, qas, squad};
use blockspan_squad::Dataset;
use serde_json::{Value, json};

const IDS: [&str; 3] = ["1", "2", "3"];

/// Records as Hugging Face `datasets` writes them.
fn records() -> Vec<Value> {
    let record = |(id, (question, text, start)): (usize, (&str, &str, usize))| {
        json!({"id": id.to_string(), "title": "t", "context": CONTEXT, "question": question,
               "answers": {"text": [text], "answer_start": [start]}})
    };
    (1..).zip(QUESTIONS).map(record).collect()
}

fn lines(values: &[Value]) -> String {
    values.iter().map(|value| format!("{value}\n")).collect()
}

#[test]
fn a_list_of_articles_without_data_around_it() {
    assert_base(&parse(&squad(&qas())["data"]), IDS);
}

#[test]
fn a_list_of_paragraphs_as_simple_transformers_takes_it() {
    assert_base(&parse(json!([{"context": CONTEXT, "qas": qas()}])), IDS);
    assert_base(&parse(json!({"data": [{"context": CONTEXT, "qas": qas()}]})), IDS);
}

#[test]
fn one_article_or_one_paragraph_alone() {
    assert_base(&parse(&squad(&qas())["data"][0]), IDS);
    assert_base(&parse(json!({"context": CONTEXT, "qas": qas()})), IDS);
}

#[test]
fn records_of_hugging_face_datasets() {
    let rows: Vec<Value> = records().into_iter().map(|record| json!({"row_idx": 0, "row": record})).collect();
    for file in [json!(records()), json!({"data": records()}), json!({"features": [], "rows": rows})] {
        let dataset = parse(file);
        assert_base(&dataset, IDS);
        assert_eq!(dataset.paragraphs.len(), 1, "one paragraph for one context");
    }
}

#[test]
fn json_lines_of_records_paragraphs_and_articles() {
    assert_base(&parse(lines(&records())), IDS);
    assert_base(&parse(lines(&records()).replace('\n', "\r\n\r\n")), IDS);
    let by_question: Vec<Value> = qas().iter().map(|qa| json!({"context": CONTEXT, "qas": [qa]})).collect();
    assert_base(&parse(lines(&by_question)), IDS);
    let articles: Vec<Value> = by_question.iter().map(|p| json!({"title": "t", "paragraphs": [p]})).collect();
    assert_base(&parse(lines(&articles)), IDS);
}

#[test]
fn two_objects_in_a_file_are_both_read() {
    let file = squad(&qas());
    for between in ["", "\n", "\r\n  \n"] {
        let dataset = parse(format!("{file}{between}{file}"));
        assert_eq!(dataset.questions().count(), 6);
        let ids: Vec<&str> = dataset.questions().map(|(_, question)| question.id.as_str()).collect();
        assert_eq!(ids, ["1", "2", "3", "1-2", "2-2", "3-2"]);
        assert_ne!(dataset.paragraphs[0].article, dataset.paragraphs[1].article);
    }
}

#[test]
fn answers_as_an_object_of_two_lists_within_squad() {
    let by_columns = changed(|qa| {
        let answer = qa["answers"][0].clone();
        qa["answers"] = json!({"text": [answer["text"]], "answer_start": [answer["answer_start"]]});
    });
    assert_base(&parse(by_columns), IDS);
    let one = changed(|qa| qa["answers"] = qa["answers"][0].clone());
    assert_base(&parse(one), IDS);
    let singular = changed(|qa| {
        qa["answer"] = qa["answers"][0].clone();
        qa.as_object_mut().expect("an object").remove("answers");
    });
    assert_base(&parse(singular), IDS);
}

#[test]
fn exports_of_haystacks_annotation_tool() {
    for id in [json!(70001), json!("70001")] {
        let mut file = changed(|qa| {
            qa["is_impossible"] = json!(false);
            qa["answers"][0]["answer_id"] = json!(5);
            qa["answers"][0]["answer_category"] = Value::Null;
        });
        file["data"][0]["title"] = Value::Null;
        file["data"][0]["paragraphs"][0]["document_id"] = json!(9);
        file["data"][0]["paragraphs"][0]["qas"][0]["id"] = id;
        assert_base(&parse(file), ["70001", "2", "3"]);
    }
}

#[test]
fn byte_order_marks_and_utf_16() {
    let text = squad(&qas()).to_string();
    let wide = |unit: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(unit).collect::<Vec<u8>>();
    let (little, big) = (wide(u16::to_le_bytes), wide(u16::to_be_bytes));
    for bytes in [
        [&b"\xef\xbb\xbf"[..], text.as_bytes()].concat(),
        [&b"\xff\xfe"[..], &little].concat(),
        [&b"\xfe\xff"[..], &big].concat(),
        little,
        big,
    ] {
        assert_base(&Dataset::parse(&bytes, "data.json").expect("a data set"), IDS);
    }
}

#[test]
fn a_number_or_nothing_as_title() {
    for (title, read) in [(json!(7), "7"), (json!(1.5), "1.5"), (Value::Null, "")] {
        let mut file = squad(&qas());
        file["data"][0]["title"] = title;
        let dataset = parse(file);
        assert_eq!(dataset.paragraphs[0].title, read);
        assert_base(&dataset, IDS);
    }
}

#[test]
fn numbers_as_ids_and_answers() {
    let mut id = 0;
    let file = changed(|qa| {
        id += 1;
        qa["id"] = json!(id);
    });
    let dataset = parse(file);
    assert_base(&dataset, IDS);
    assert!(dataset.notes().is_empty(), "{:?}", dataset.notes());
    let mut file = squad(&qas());
    file["data"][0]["paragraphs"][0]["qas"][0]["answers"][0]["text"] = json!(1862);
    assert_base(&parse(file), IDS);
}

#[test]
fn records_with_one_title_are_of_one_article() {
    let mut others = records();
    others
        .iter_mut()
        .for_each(|record| record["context"] = json!(format!("{CONTEXT} Since then it is empty.")));
    others[2]["title"] = json!("u");
    let dataset = parse(lines(&[records(), others, records()].concat()));
    let articles: Vec<(usize, usize)> =
        dataset.paragraphs.iter().map(|p| (p.article, p.questions.len())).collect();
    assert_eq!(articles, [(0, 3), (0, 2), (1, 1), (0, 3)]);
    let untitled: Vec<Value> = records()
        .into_iter()
        .zip(["a", "b", "b"])
        .map(|(mut record, context)| {
            record["title"] = json!("");
            record["context"] = json!(context);
            record
        })
        .collect();
    let articles: Vec<usize> = parse(lines(&untitled)).paragraphs.iter().map(|p| p.article).collect();
    assert_eq!(articles, [0, 1]);
}
