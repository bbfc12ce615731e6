//! What a network reads.

use anyhow::Result;
use candle_core::{Device, Tensor};

/// Added to the score of a padding key; its probability is then exactly 0.
const PADDING_BIAS: f64 = -1e9;

/// A batch of sequences, padded to the same length; all tensors are `[batch, tokens]`.
pub struct Input {
    /// Vocabulary ids, u32.
    pub input_ids: Tensor,
    /// 0 for the question, 1 for the passage, u32.
    pub token_type_ids: Tensor,
    /// 1 for a token, 0 for padding, f32.
    pub attention_mask: Tensor,
}

impl Input {
    /// Makes a batch of row-major `[batch, tokens]` values.
    ///
    /// # Errors
    /// Lengths that do not fit, or a failure of the device.
    pub fn new(
        input_ids: Vec<u32>,
        token_type_ids: Vec<u32>,
        attention_mask: Vec<f32>,
        batch: usize,
        device: &Device,
    ) -> Result<Self> {
        let shape = (batch, input_ids.len() / batch.max(1));
        Ok(Input {
            input_ids: Tensor::from_vec(input_ids, shape, device)?,
            token_type_ids: Tensor::from_vec(token_type_ids, shape, device)?,
            attention_mask: Tensor::from_vec(attention_mask, shape, device)?,
        })
    }

    /// What is added to the scores of each key.
    pub(super) fn bias(&self) -> Result<Tensor> {
        Ok(self.attention_mask.affine(-PADDING_BIAS, PADDING_BIAS)?)
    }
}
