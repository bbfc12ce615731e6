//! Articles, paragraphs and records in a JSON value.

use std::collections::HashMap;
use std::path::Path;

use serde_json::{Map, Value};

use super::{fields, ids, recognize};
use crate::{Dataset, Error, Paragraph, Place, Question};

/// Where something is that cannot be read, and why, with the remedy.
pub type Refusal = (Place, String);

type Object = Map<String, Value>;

/// Gathers the questions of a file.
#[derive(Default)]
pub struct Reader {
    paragraphs: Vec<Paragraph>,
    /// Articles so far.
    articles: usize,
    /// The article of each title in a list of records.
    titles: HashMap<String, usize>,
    /// Whether the last paragraph was made of records, so that the next record may belong to it.
    of_records: bool,
    /// Questions without the field `answers`: how many, and the first.
    without_answers: (usize, Place),
    /// Questions that are marked as impossible and have answers: how many, and the first.
    contradictory: (usize, Place),
}

impl Reader {
    /// Reads one JSON value of the file: all of SQuAD's articles, or a part of them in one of the shapes that tools
    /// write (see the crate's documentation).
    pub fn document(&mut self, value: Value, place: Place) -> Result<(), Refusal> {
        match value {
            Value::Array(items) => self.list(items, place),
            Value::Object(mut map) => match (map.remove("data"), map.remove("rows")) {
                (Some(Value::Array(items)), _) => self.list(items, place),
                // What the Hugging Face dataset viewer's interface returns: {"rows": [{"row": {…}}, …]}.
                (None, Some(Value::Array(rows))) => {
                    let unwrapped = rows.into_iter().map(|row| match row {
                        Value::Object(mut map) if map.contains_key("row") => {
                            map.remove("row").unwrap_or_default()
                        }
                        other => other,
                    });
                    self.list(unwrapped.collect(), place)
                }
                (Some(data), _) if !data.is_object() => {
                    Err((place, format!("data is {}; expected a list of articles", fields::kind(&data))))
                }
                (data, _) => {
                    map.extend(data.map(|data| ("data".to_owned(), data)));
                    self.item(map, place, None)
                }
            },
            other => Err((place, recognize::value(&other))),
        }
    }

    fn list(&mut self, items: Vec<Value>, place: Place) -> Result<(), Refusal> {
        for (index, item) in items.into_iter().enumerate() {
            match item {
                Value::Object(map) => self.item(map, place, Some(index))?,
                other => return Err((place, recognize::items(&other))),
            }
        }
        Ok(())
    }

    /// An article, a paragraph or a record; `index` is its place in a list.
    fn item(&mut self, mut map: Object, place: Place, index: Option<usize>) -> Result<(), Refusal> {
        if map.contains_key("paragraphs") {
            let place = Place { article: index, ..place };
            let title =
                fields::text(&mut map, "title").map_err(|reason| (place, reason))?.unwrap_or_default();
            let article = self.next_article();
            match map.remove("paragraphs") {
                Some(Value::Array(paragraphs)) => {
                    for (index, paragraph) in paragraphs.into_iter().enumerate() {
                        let place = Place { paragraph: Some(index), ..place };
                        self.paragraph(paragraph, article, title.clone(), place)?;
                    }
                    Ok(())
                }
                Some(Value::Null) | None => Ok(()),
                Some(other) => {
                    Err((place, format!("paragraphs is {}; expected a list", fields::kind(&other))))
                }
            }
        } else if map.contains_key("qas") {
            let place = Place { paragraph: index, ..place };
            let title =
                fields::text(&mut map, "title").map_err(|reason| (place, reason))?.unwrap_or_default();
            let article = self.article_of(&title);
            self.paragraph(Value::Object(map), article, title, place)
        } else if has_one(&map, "context") && has_one(&map, "question") {
            self.record(map, Place { record: index, ..place })
        } else {
            Err((Place { record: index, ..place }, recognize::object(&map)))
        }
    }

    fn paragraph(
        &mut self,
        value: Value,
        article: usize,
        title: String,
        place: Place,
    ) -> Result<(), Refusal> {
        let refuse = |reason: String| (place, reason);
        let Value::Object(mut map) = value else {
            return Err(refuse(format!(
                "it is {}; expected {{\"context\": …, \"qas\": […]}}",
                fields::kind(&value)
            )));
        };
        let context = fields::required(&mut map, "context").map_err(refuse)?;
        let qas = match map.remove("qas") {
            Some(Value::Array(qas)) => qas,
            Some(Value::Null) => Vec::new(),
            Some(other) => return Err(refuse(format!("qas is {}; expected a list", fields::kind(&other)))),
            None => return Err(refuse("no field qas, the list of questions; add it".into())),
        };
        let mut questions = Vec::with_capacity(qas.len());
        for (index, value) in qas.into_iter().enumerate() {
            let place = Place { question: Some(index), ..place };
            let Value::Object(map) = value else {
                return Err((
                    place,
                    format!("it is {}; expected {{\"question\": …, …}}", fields::kind(&value)),
                ));
            };
            questions.push(self.question(map, place)?);
        }
        self.of_records = false;
        self.paragraphs.push(Paragraph { article, title, context, questions });
        Ok(())
    }

    /// A question with its context; neighbors with the same context become one paragraph.
    fn record(&mut self, mut map: Object, place: Place) -> Result<(), Refusal> {
        let title = fields::text(&mut map, "title").map_err(|reason| (place, reason))?.unwrap_or_default();
        let context = fields::required(&mut map, "context").map_err(|reason| (place, reason))?;
        let question = self.question(map, place)?;
        match self.paragraphs.last_mut() {
            Some(last) if self.of_records && last.context == context && last.title == title => {
                last.questions.push(question);
            }
            _ => {
                let article = self.article_of(&title);
                self.paragraphs.push(Paragraph { article, title, context, questions: vec![question] });
            }
        }
        self.of_records = true;
        Ok(())
    }

    fn question(&mut self, mut map: Object, place: Place) -> Result<Question, Refusal> {
        let refuse = |reason: String| (place, reason);
        let id = fields::text(&mut map, "id").map_err(refuse)?.unwrap_or_default();
        let question = fields::required(&mut map, "question").map_err(refuse)?;
        let is_impossible = fields::truth(&mut map, "is_impossible").map_err(refuse)?;
        let answers = fields::answers(&mut map).map_err(refuse)?;
        if answers.is_none() && !is_impossible {
            count(&mut self.without_answers, place);
        }
        let answers = answers.unwrap_or_default();
        if is_impossible && !answers.is_empty() {
            count(&mut self.contradictory, place);
        }
        Ok(Question { id, question, answers, is_impossible, place })
    }

    fn next_article(&mut self) -> usize {
        self.articles += 1;
        self.articles - 1
    }

    /// The article of a title; one of its own where there is no title.
    fn article_of(&mut self, title: &str) -> usize {
        if let Some(&article) = self.titles.get(title) {
            return article;
        }
        let article = self.next_article();
        if !title.is_empty() {
            self.titles.insert(title.to_owned(), article);
        }
        article
    }

    /// The questions, with ids that are unique, and what is to be said about them.
    pub fn finish(self, path: &Path) -> Result<Dataset, Error> {
        let mut dataset = Dataset { paragraphs: self.paragraphs, path: path.to_owned(), notes: Vec::new() };
        if dataset.questions().next().is_none() {
            return Err(Error::NoQuestion { path: dataset.path });
        }
        ids::complete(&mut dataset);
        let labeled = dataset.is_labeled();
        let mut note = |(count, first): (usize, Place), what: &str| {
            if count > 0 && labeled {
                let (questions, have) = if count == 1 { ("question", "has") } else { ("questions", "have") };
                let what = what.replace("have", have);
                dataset
                    .notes
                    .push(format!("{}: {count} {questions} {what} (the first: {first})", path.display()));
            }
        };
        note(self.without_answers, "have no field answers and count as unanswerable");
        note(
            self.contradictory,
            "have answers in spite of is_impossible: scored by them, trained as unanswerable",
        );
        Ok(dataset)
    }
}

/// Whether there is a field, and it is not a column of values.
fn has_one(map: &Object, name: &str) -> bool {
    map.get(name).is_some_and(|value| !value.is_array() && !value.is_object())
}

fn count((count, first): &mut (usize, Place), place: Place) {
    if *count == 0 {
        *first = place;
    }
    *count += 1;
}
