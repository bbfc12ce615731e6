//! Questions that the passage does not answer, made from those that it does.
//!
//! A model that only ever saw passages with an answer finds one everywhere. SQuAD v1.1 has no questions without an
//! answer, but any of its questions has none in most other paragraphs of its article, which speak of the same things.

use std::sync::Arc;

use anyhow::{Context, Result};
use blockspan_squad::{Dataset, other_paragraph};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::features::{Feature, WindowOptions, windows_without_answer};
use crate::tokenizer::{Tokenizer, Tokens};

/// The share of the drawn windows whose paragraph comes from another article: easy ones, so fewer.
const OTHER_ARTICLE: f64 = 0.2;

/// Replaces a share of the windows of each epoch by windows of another paragraph, labeled `[CLS]`.
pub struct Unanswerable {
    rate: f64,
    seed: u64,
    windows: WindowOptions,
    special: (u32, u32),
    files: Vec<File>,
    /// For each window of the training data: its file, the paragraph and the question's place in it.
    places: Vec<(usize, usize, usize)>,
    /// What the windows of this epoch replaced, in the order of the windows.
    replaced: Vec<(usize, Feature)>,
}

/// A training file.
struct File {
    dataset: Dataset,
    /// Of each paragraph.
    tokens: Vec<Arc<Tokens>>,
}

impl Unanswerable {
    /// Replaces `rate` of the windows (0 to 1), drawn by `seed`, once [`add`](Self::add) has told of them.
    pub fn new(rate: f64, seed: u64, windows: WindowOptions, tokenizer: &Tokenizer) -> Self {
        let special = (tokenizer.cls, tokenizer.sep);
        Unanswerable { rate, seed, windows, special, files: vec![], places: vec![], replaced: vec![] }
    }

    /// Adds the windows of one file, in the order of the training data.
    ///
    /// # Errors
    /// A text that the tokenizer fails on.
    pub fn add(&mut self, dataset: Dataset, features: &[Feature], tokenizer: &Tokenizer) -> Result<()> {
        let questions: Vec<(usize, usize)> = dataset
            .paragraphs
            .iter()
            .enumerate()
            .flat_map(|(paragraph, p)| (0..p.questions.len()).map(move |question| (paragraph, question)))
            .collect();
        let mut tokens: Vec<Option<Arc<Tokens>>> = vec![None; dataset.paragraphs.len()];
        for feature in features {
            let &(paragraph, question) =
                questions.get(feature.question).context("a window of a question that is not in its file")?;
            self.places.push((self.files.len(), paragraph, question));
            tokens[paragraph].get_or_insert_with(|| Arc::clone(&feature.tokens));
        }
        let tokens = dataset.paragraphs.iter().zip(tokens).map(|(paragraph, tokens)| match tokens {
            Some(tokens) => Ok(tokens),
            None => Ok(Arc::new(tokenizer.tokens(&paragraph.context)?)),
        });
        let tokens = tokens.collect::<Result<_>>()?;
        self.files.push(File { dataset, tokens });
        Ok(())
    }

    /// Whether this window of the training data is replaced in this epoch.
    pub fn has_replaced(&self, window: usize) -> bool {
        self.replaced.binary_search_by_key(&window, |(replaced, _)| *replaced).is_ok()
    }

    /// Restores what the epoch before replaced, and draws the windows of this one. The same seed and epoch draw the
    /// same. A question that has no answer stays as it is, and so does one whose answers are everywhere.
    pub fn draw(&mut self, data: &mut [Feature], epoch: usize) {
        for (window, feature) in core::mem::take(&mut self.replaced) {
            data[window] = feature;
        }
        let mut rng = StdRng::seed_from_u64(self.seed.wrapping_add(epoch as u64) ^ 0x756e_616e_7377_6572);
        for (window, &(file, paragraph, question)) in self.places.iter().enumerate() {
            // The same numbers are drawn for every window, so that one window's fate does not move another's.
            let (chosen, elsewhere) = (rng.random_bool(self.rate), rng.random_bool(OTHER_ARTICLE));
            let (seed, part): (u64, usize) = (rng.random(), rng.random_range(0..1 << 30));
            let File { dataset, tokens } = &self.files[file];
            if !chosen || dataset.paragraphs[paragraph].questions[question].answers.is_empty() {
                continue;
            }
            let other = other_paragraph(dataset, paragraph, question, !elsewhere, seed);
            let Some(other) = other else { continue };
            let ids = data[window].question_ids();
            let mut windows = windows_without_answer(
                data[window].question,
                ids,
                &tokens[other],
                self.special,
                self.windows,
            );
            let new = windows.swap_remove(part % windows.len());
            self.replaced.push((window, core::mem::replace(&mut data[window], new)));
        }
    }
}
