//! Answers and their places in the context, as training needs them.

use core::ops::Range;

use crate::{Answer, Dataset, Error, Question};

/// Questions that a message lists.
const SHOWN: usize = 5;

impl Answer {
    /// The bytes of the answer in `context`, or nothing when it does not stand at `answer_start`.
    ///
    /// `answer_start` counts characters (Unicode scalar values), as in SQuAD. Where the text does not stand there, but
    /// does at the same count of another unit that tools count in, it is taken from there: characters with each line end
    /// `\r\n` as one (tools that read files in text mode), UTF-16 code units (JavaScript), bytes of UTF-8.
    pub fn byte_range(&self, context: &str) -> Option<Range<usize>> {
        let start = usize::try_from(self.answer_start?).ok()?;
        let units: [fn(char, char) -> usize; 4] = [
            |_, _| 1,
            |before, c| usize::from((before, c) != ('\r', '\n')),
            |_, c| c.len_utf16(),
            |_, c| c.len_utf8(),
        ];
        units.into_iter().find_map(|unit| {
            let from = byte_of(context, start, unit)?;
            let to = from.checked_add(self.text.len())?;
            (!self.text.is_empty() && context.get(from..to)? == self.text).then_some(from..to)
        })
    }
}

/// The byte before which `count` units stand. `unit` tells how many a character is, given the one before it.
fn byte_of(context: &str, count: usize, unit: fn(char, char) -> usize) -> Option<usize> {
    let (mut before, mut counted) = ('\0', 0);
    for (at, c) in context.char_indices() {
        let after = counted + unit(before, c);
        // A line feed of no unit of its own belongs to the line end before it.
        if counted == count && after > counted {
            return Some(at);
        }
        (before, counted) = (c, after);
    }
    (counted == count).then_some(context.len())
}

impl Dataset {
    /// Compares every answer with its place in the context.
    ///
    /// # Errors
    /// Answers that do not stand at their `answer_start`: how many questions have one, and the first five.
    pub fn check_answers(&self) -> Result<(), Error> {
        let mut bad = self.paragraphs.iter().flat_map(|paragraph| {
            paragraph.questions.iter().filter_map(|question| bad_answer(&paragraph.context, question))
        });
        let first: Vec<String> = bad.by_ref().take(SHOWN).collect();
        if first.is_empty() {
            return Ok(());
        }
        let bad = first.len() + bad.count();
        Err(Error::Answers { path: self.path.clone(), bad, total: self.questions().count(), first })
    }

    /// Removes the questions of which [`check_answers`](Self::check_answers) complains, and tells how many.
    pub fn remove_bad_answers(&mut self) -> usize {
        let mut removed = 0;
        for paragraph in &mut self.paragraphs {
            let (context, before) = (&paragraph.context, paragraph.questions.len());
            paragraph.questions.retain(|question| bad_answer(context, question).is_none());
            removed += before - paragraph.questions.len();
        }
        removed
    }
}

/// Place, id and fault of a question's first bad answer. A question that is marked as impossible needs none.
fn bad_answer(context: &str, question: &Question) -> Option<String> {
    if question.is_impossible {
        return None;
    }
    let answer = question.answers.iter().find(|answer| answer.byte_range(context).is_none())?;
    Some(format!("{} ({}): {}", question.place, question.id, fault(context, answer)))
}

fn fault(context: &str, answer: &Answer) -> String {
    let Some(start) = answer.answer_start else {
        return "answer_start is missing or no whole number".into();
    };
    let length = context.chars().count();
    let Some(start) = usize::try_from(start).ok().filter(|&start| start <= length) else {
        return format!("answer_start {start} lies outside the context of {length} characters");
    };
    let found: String = context.chars().skip(start).take(answer.text.chars().count()).collect();
    format!("at answer_start {start} the context reads {found:?}, not {:?}", answer.text)
}
