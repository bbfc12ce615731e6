//! The input of the first encoder layer.

use anyhow::{Result, ensure};
use candle_core::{DType, Tensor};
use candle_nn::{Embedding, Module, VarBuilder};

use super::input::Input;
use super::modules::LayerNorm;
use crate::config::Config;
use crate::ops;
use crate::quantization::Grid;

/// Embeddings of words, token types and positions, summed and normalized.
pub(super) struct Embeddings {
    words: Embedding,
    token_types: Embedding,
    positions: Embedding,
    norm: LayerNorm,
    max_tokens: usize,
}

impl Embeddings {
    pub fn new(config: &Config, vb: &VarBuilder<'_>) -> Result<Self> {
        let hidden = config.hidden_size;
        let embedding = |part: &str, rows| candle_nn::embedding(rows, hidden, vb.pp(part));
        Ok(Embeddings {
            words: embedding("word_embeddings", config.vocab_size)?,
            token_types: embedding("token_type_embeddings", config.type_vocab_size)?,
            positions: embedding("position_embeddings", config.max_position_embeddings)?,
            norm: LayerNorm::new(hidden, config.layer_norm_eps, &vb.pp("LayerNorm"))?,
            max_tokens: config.max_position_embeddings,
        })
    }

    /// `[batch, tokens, hidden]`. `quantized`: words on their int8 grid, the others rounded to halves, straight
    /// through.
    pub fn forward(&self, input: &Input, quantized: bool) -> Result<Tensor> {
        let (_, tokens) = input.input_ids.dims2()?;
        ensure!(
            tokens <= self.max_tokens,
            "{tokens} tokens exceed the model's {}; lower --max-seq-len",
            self.max_tokens
        );
        let mut words = self.words.forward(&input.input_ids)?;
        let mut token_types = self.token_types.forward(&input.token_type_ids)?;
        let mut positions = self.positions.embeddings().narrow(0, 0, tokens)?;
        if quantized {
            words = ops::quantize_rows(&words, self.words.hidden_size(), Grid::Weights)?;
            // Stored as halves; straight through too, since small gradients would vanish as halves.
            let halved = |x: &Tensor| x + (x.to_dtype(DType::F16)?.to_dtype(DType::F32)? - x)?.detach();
            (token_types, positions) = (halved(&token_types)?, halved(&positions)?);
        }
        Ok(self.norm.forward(&(words + token_types)?.broadcast_add(&positions)?)?)
    }
}
