//! SQuAD files, in the shapes that the crate `squad` reads.

use std::sync::Arc;

use anyhow::Result;
use blockspan_squad::Dataset;

use super::super::item::{Asked, Item, Place, Text};
use super::origin::Origin;
use crate::output;

/// The questions of a file. It is read as a whole.
pub fn read(origin: &Origin) -> Result<impl Iterator<Item = Result<Item>> + use<>> {
    // The message holds its cause already.
    let dataset = Dataset::read(&origin.path).map_err(|error| anyhow::Error::msg(error.to_string()))?;
    dataset.notes().iter().for_each(|note| output::note(&format!("note: {note}")));
    let bytes = origin.path.metadata().map_or(0, |metadata| metadata.len());
    let (count, before, file, searched) =
        (dataset.questions().count().max(1) as u64, origin.before, origin.name.clone(), origin.searched);
    let questions = dataset.paragraphs.into_iter().flat_map(|paragraph| {
        let passage: Arc<str> = paragraph.context.into();
        paragraph.questions.into_iter().map(move |question| (question, Arc::clone(&passage)))
    });
    Ok((1u64..).zip(questions).map(move |(number, (question, passage))| {
        // As if each question took the same part of the file.
        let position = before + (u128::from(bytes) * u128::from(number) / u128::from(count)) as u64;
        let text = if searched { Text::Index } else { Text::Passage(passage) };
        let asked = Asked { question: question.question.into(), text };
        let place = Place { file: file.clone(), line: None, position };
        Ok(Item { id: question.id.into(), place, asked: Ok(asked) })
    }))
}
