//! Where a forward pass drops values, and how many.

use candle_core::{Device, Result};

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

/// From what a forward pass follows what is dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DropoutKey {
    /// The same for all windows of a step.
    pub key: u64,
    /// The number of the batch's first window among them.
    pub first: usize,
}

/// What a forward pass drops: its rates, and a key from which all choices follow.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Dropouts {
    pub rates: DropoutRates,
    pub key: DropoutKey,
}

/// Places of a layer where values are dropped; embeddings count as a layer of their own, the first.
const PLACES: u64 = 3;

impl Dropouts {
    /// Seeds the generator of an accelerator; a CPU needs none.
    pub fn seed(self, device: &Device, part: u64) -> Result<()> {
        if !device.is_cpu() && self.rates != DropoutRates::default() {
            let DropoutKey { key, first } = self.key;
            device.set_seed(derive_key(derive_key(key, first as u64), part))?;
        }
        Ok(())
    }

    pub fn hidden(self, layer: usize, place: u64) -> Option<Dropout> {
        self.choices(self.rates.hidden, PLACES * layer as u64 + place)
    }

    pub fn attention(self, layer: usize) -> Option<Dropout> {
        self.choices(self.rates.attention, PLACES * layer as u64)
    }

    fn choices(self, rate: f64, place: u64) -> Option<Dropout> {
        let DropoutKey { key, first } = self.key;
        Some(Dropout::new(rate, derive_key(key, place))?.from_sequence(first))
    }
}
