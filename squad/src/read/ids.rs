//! Ids that are missing or not unique.

use std::collections::{HashMap, HashSet};

use crate::{Dataset, Place};

/// Gives every question an id of its own, and notes what had to be changed.
pub fn complete(dataset: &mut Dataset) {
    let given: HashSet<String> =
        dataset.paragraphs.iter().flat_map(|p| &p.questions).map(|question| question.id.clone()).collect();
    let mut ids = Ids { used: HashSet::with_capacity(given.len()), given, next: HashMap::new() };
    let (mut missing, mut repeated): (Changed, Changed) = Default::default();
    for (index, question) in dataset.paragraphs.iter_mut().flat_map(|p| &mut p.questions).enumerate() {
        let given = question.id.clone();
        if given.is_empty() {
            question.id = ids.free(format!("question-{index}"));
            missing.add(question.place, given, question.id.clone());
        } else if ids.used.contains(&given) {
            question.id = ids.free(given.clone());
            repeated.add(question.place, given, question.id.clone());
        }
        ids.used.insert(question.id.clone());
    }
    let path = dataset.path.display();
    if let Some((place, _, made)) = missing.first {
        let questions = questions(missing.count);
        dataset.notes.push(format!("{path}: {questions} without an id; ids were made, {made:?} for {place}"));
    }
    if let Some((place, given, made)) = repeated.first {
        let questions = questions(repeated.count);
        dataset.notes.push(format!(
            "{path}: {questions} with the id of another; each is scored by itself, and called {made:?} in place of \
             {given:?} at {place}"
        ));
    }
}

/// Questions whose ids were changed: how many; place, old and new id of the first.
#[derive(Default)]
struct Changed {
    count: usize,
    first: Option<(Place, String, String)>,
}

impl Changed {
    fn add(&mut self, place: Place, given: String, made: String) {
        self.count += 1;
        self.first.get_or_insert((place, given, made));
    }
}

fn questions(count: usize) -> String {
    if count == 1 { "1 question".into() } else { format!("{count} questions") }
}

/// Which ids there are.
struct Ids {
    /// Those of the file.
    given: HashSet<String>,
    /// Those of the questions so far.
    used: HashSet<String>,
    /// The number to try next behind an id that is taken.
    next: HashMap<String, usize>,
}

impl Ids {
    /// `wanted`, or with the first number behind it that makes an id which no other question has.
    fn free(&mut self, wanted: String) -> String {
        let is_free = |id: &String| !self.given.contains(id) && !self.used.contains(id);
        if is_free(&wanted) {
            return wanted;
        }
        let number = self.next.entry(wanted.clone()).or_insert(2);
        loop {
            let id = format!("{wanted}-{number}");
            *number += 1;
            if is_free(&id) {
                return id;
            }
        }
    }
}
