//! Where a forward pass drops values, and how many.

use crate::ops::{Dropout, derive_key};

/// The shares of values that training drops by chance.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DropoutRates {
    /// Of the embeddings and of what attention and feed-forward add to the hidden states
    /// (`hidden_dropout_prob`).
    pub hidden: f64,
    /// Of the attention probabilities (`attention_probs_dropout_prob`).
    pub attention: f64,
}

/// What a forward pass drops: its rates, and a key from which all choices follow.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Dropouts {
    pub rates: DropoutRates,
    pub key: u64,
}

/// Places of a layer where values are dropped; embeddings count as a layer of their own, the first.
const PLACES: u64 = 3;

impl Dropouts {
    pub fn hidden(self, layer: usize, place: u64) -> Option<Dropout> {
        Dropout::new(self.rates.hidden, derive_key(self.key, PLACES * layer as u64 + place))
    }

    pub fn attention(self, layer: usize) -> Option<Dropout> {
        Dropout::new(self.rates.attention, derive_key(self.key, PLACES * layer as u64))
    }
}
