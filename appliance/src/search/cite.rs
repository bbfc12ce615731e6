//! Where an answer stands: document, line or page, range, sentence.

use core::ops::Range;

use blockspan_reader::{Answer, RankedAnswer, positions};
use blockspan_retrieval::{Hit, sentences};

use super::corpus::Corpus;
use crate::output::json::DocumentName;

/// An answer and all of its places.
pub struct Cited {
    /// As it stands at the first place; with its places in that document's text.
    pub answer: Answer,
    /// The sentence around it, as bytes of that text.
    pub sentence: Range<usize>,
    /// The sentence's text.
    pub sentence_text: String,
    /// Best first; at least one.
    pub places: Vec<Place>,
}

/// A place of an answer.
pub struct Place {
    /// The document's number in the index.
    pub document: usize,
    pub name: DocumentName,
    pub position: Position,
    /// In the document's text: bytes, characters, UTF-16 code units.
    pub bytes: Range<usize>,
    pub chars: Range<usize>,
    pub utf16: Range<usize>,
    /// How far the answer is ahead of "no answer" in its passage.
    pub margin: f32,
    /// How well the passage fits the question.
    pub retrieval: f32,
}

/// What a place in a file is called, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    Line(u32),
    Page(u32),
}

/// The answers of a group, which say the same, as one; nothing if there are none.
pub fn cite<'a>(
    corpus: &Corpus,
    hits: &[Hit],
    group: impl Iterator<Item = &'a RankedAnswer>,
) -> Option<Cited> {
    let mut cited: Option<Cited> = None;
    for ranked in group {
        let hit = hits.get(ranked.document)?;
        for &passage in [&hit.passage].into_iter().chain(&hit.copies) {
            let Some((place, text)) = place(corpus, passage, hit.score, ranked) else { continue };
            match &mut cited {
                Some(cited) => cited.places.push(place),
                None => {
                    let sentence = sentences::around(text, place.bytes.clone());
                    cited = Some(Cited {
                        answer: moved(&ranked.answer, &place),
                        sentence_text: text.get(sentence.clone()).unwrap_or_default().to_owned(),
                        sentence,
                        places: vec![place],
                    });
                }
            }
        }
    }
    cited
}

/// The place of an answer in the document of its passage, and the document's text.
fn place<'a>(
    corpus: &'a Corpus,
    passage: u32,
    retrieval: f32,
    ranked: &RankedAnswer,
) -> Option<(Place, &'a str)> {
    let passage = corpus.index.passage(passage)?;
    let document = corpus.index.document(passage.document)?;
    let bytes = passage.start + ranked.answer.start..passage.start + ranked.answer.end;
    let [start, end] = positions(document.text, &[bytes.start, bytes.end]).try_into().ok()?;
    let line = document.line_at(bytes.start);
    let place = Place {
        document: passage.document,
        name: DocumentName { document: corpus.name(&document).into(), meta: None },
        position: if document.has_pages() { Position::Page(line) } else { Position::Line(line) },
        bytes,
        chars: start.char..end.char,
        utf16: start.utf16..end.utf16,
        margin: ranked.margin,
        retrieval,
    };
    Some((place, document.text))
}

/// The answer with its places in the document.
fn moved(answer: &Answer, place: &Place) -> Answer {
    Answer {
        start: place.bytes.start,
        end: place.bytes.end,
        start_char: place.chars.start,
        end_char: place.chars.end,
        start_utf16: place.utf16.start,
        end_utf16: place.utf16.end,
        ..answer.clone()
    }
}
