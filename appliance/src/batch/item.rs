//! A question of a file, and where it stands there.

use std::sync::Arc;

use serde_json::Value;

use crate::output::json::DocumentName;

/// A line, row or record of the input; or what is wrong with it.
pub struct Item {
    /// Its id; where it has none, its line; `null` if it cannot be read.
    pub id: Value,
    pub place: Place,
    /// The question; or why it cannot be asked.
    pub asked: Result<Asked, String>,
}

/// Where an item stands.
#[derive(Clone, Default)]
pub struct Place {
    /// The file, if there are several.
    pub file: Option<Arc<str>>,
    /// The line, from 1; none for a SQuAD file.
    pub line: Option<u64>,
    /// Bytes of all input up to its end.
    pub position: u64,
}

/// A question and what it is about.
pub struct Asked {
    pub question: Arc<str>,
    pub text: Text,
}

/// What a question is about.
pub enum Text {
    Passage(Arc<str>),
    Documents(Documents),
    /// All that the index holds.
    Index,
}

/// Several documents, each with its name.
#[derive(Default)]
pub struct Documents {
    pub names: Vec<DocumentName>,
    pub texts: Vec<Arc<str>>,
}

impl Asked {
    /// Bytes of the question and of all that it is about.
    pub fn bytes(&self) -> usize {
        let texts = match &self.text {
            Text::Passage(passage) => passage.len(),
            Text::Documents(documents) => documents.texts.iter().map(|text| text.len()).sum(),
            Text::Index => 0,
        };
        self.question.len().saturating_add(texts)
    }
}
