//! `config.json` of a Hugging Face BERT directory.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use blockspan_engine::MAX_LAYERS;

use crate::files::Object;

/// The largest number that sizes a network; the product of two fits 64 bits with room to spare.
const MAX_SIZE: usize = 1 << 24;

/// The most positions that the packed format has room for (engine/FORMAT.md).
const MAX_POSITIONS: usize = 4096;

/// The fields of `config.json` that shape the network. All others are kept when a checkpoint is saved.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Entries of the vocabulary.
    pub vocab_size: usize,
    /// Features of a token.
    pub hidden_size: usize,
    /// Encoder layers.
    pub num_hidden_layers: usize,
    /// Attention heads.
    pub num_attention_heads: usize,
    /// Features inside the feed-forward part.
    pub intermediate_size: usize,
    /// The longest input, in tokens.
    pub max_position_embeddings: usize,
    /// Kinds of token: question and passage.
    pub type_vocab_size: usize,
    /// Added to the variance by layer normalization.
    pub layer_norm_eps: f64,
    /// Standard deviation of freshly made weights.
    pub initializer_range: f64,
    /// The share of hidden values that training drops.
    pub hidden_dropout_prob: f64,
    /// The share of attention probabilities that training drops.
    pub attention_probs_dropout_prob: f64,
    /// The activation function; only the erf form of GELU is supported, `gelu` or `gelu_python`.
    pub hidden_act: String,
    /// How positions are told; only `absolute` is supported.
    pub position_embedding_type: String,
    /// The family of the network; only `bert` is supported.
    pub model_type: String,
}

impl Config {
    /// Reads `config.json` in `directory`. A field that is absent or `null` has the default of transformers'
    /// `BertConfig`; those that size the network must be there.
    ///
    /// # Errors
    /// A file that cannot be read, is not a BERT configuration, or describes a network that is not
    /// supported; the message names the file and the field.
    pub fn read(directory: &Path) -> Result<Self> {
        let path = directory.join("config.json");
        if let Err(error) = path.metadata() {
            bail!("{}: cannot read: {error}; give a Hugging Face model directory", path.display());
        }
        let file = Object::read(path, "the configuration of a BERT model")?;
        let text = |name: &str, default: &str| file.text(name).map(|text| text.unwrap_or(default).to_owned());
        let number = |name: &str, default: f64| file.number(name).map(|number| number.unwrap_or(default));
        let config = Config {
            vocab_size: file.required_count("vocab_size")?,
            hidden_size: file.required_count("hidden_size")?,
            num_hidden_layers: file.required_count("num_hidden_layers")?,
            num_attention_heads: file.required_count("num_attention_heads")?,
            intermediate_size: file.required_count("intermediate_size")?,
            max_position_embeddings: file.count("max_position_embeddings")?.unwrap_or(512),
            type_vocab_size: file.count("type_vocab_size")?.unwrap_or(2),
            layer_norm_eps: number("layer_norm_eps", 1e-12)?,
            initializer_range: number("initializer_range", 0.02)?,
            hidden_dropout_prob: number("hidden_dropout_prob", 0.1)?,
            attention_probs_dropout_prob: number("attention_probs_dropout_prob", 0.1)?,
            hidden_act: text("hidden_act", "gelu")?,
            position_embedding_type: text("position_embedding_type", "absolute")?,
            model_type: text("model_type", "bert")?,
        };
        refuse_decoder(&file)?;
        config.check().with_context(|| file.path().display().to_string())?;
        Ok(config)
    }

    /// Checks that this is a network which the product can run.
    ///
    /// # Errors
    /// The first field that is out of range, with what it must be.
    pub fn check(&self) -> Result<()> {
        let positive = [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("intermediate_size", self.intermediate_size),
            ("max_position_embeddings", self.max_position_embeddings),
        ];
        for (name, value) in positive {
            ensure!(value > 0, "{name} is 0; it must be positive");
            ensure!(value <= MAX_SIZE, "{name} is {value}; it must be at most {MAX_SIZE}");
        }
        ensure!(
            self.num_hidden_layers <= MAX_LAYERS,
            "num_hidden_layers is {}; the engine runs at most {MAX_LAYERS}",
            self.num_hidden_layers
        );
        ensure!(
            self.max_position_embeddings <= MAX_POSITIONS,
            "max_position_embeddings is {}; the packed format has room for {MAX_POSITIONS}",
            self.max_position_embeddings
        );
        let eps = self.layer_norm_eps as f32;
        ensure!(
            eps > 0.0 && eps < 1.0,
            "layer_norm_eps is {:?}; it must lie between 0 and 1, both excluded, in f32",
            self.layer_norm_eps
        );
        for (name, rate) in [
            ("hidden_dropout_prob", self.hidden_dropout_prob),
            ("attention_probs_dropout_prob", self.attention_probs_dropout_prob),
        ] {
            ensure!((0.0..1.0).contains(&rate), "{name} is {rate}; it must be at least 0 and below 1");
        }
        ensure!(self.model_type == "bert", "model_type is {:?}; only \"bert\" is supported", self.model_type);
        ensure!(
            ["gelu", "gelu_python"].contains(&self.hidden_act.as_str()),
            "hidden_act is {:?}; only \"gelu\" and \"gelu_python\" (the erf form) are supported",
            self.hidden_act
        );
        ensure!(
            self.position_embedding_type == "absolute",
            "position_embedding_type is {:?}; only \"absolute\" is supported",
            self.position_embedding_type
        );
        ensure!(
            self.hidden_size.is_multiple_of(self.num_attention_heads)
                && self.head_size().is_multiple_of(4)
                && self.intermediate_size.is_multiple_of(4),
            "hidden_size {}, num_attention_heads {} and intermediate_size {}: the head size and the \
             intermediate size must be multiples of 4",
            self.hidden_size,
            self.num_attention_heads,
            self.intermediate_size
        );
        ensure!(
            self.type_vocab_size >= 2,
            "type_vocab_size is {}; question and passage need 2",
            self.type_vocab_size
        );
        Ok(())
    }

    /// Features of one attention head.
    pub fn head_size(&self) -> usize {
        self.hidden_size / self.num_attention_heads
    }

    /// Every parameter of the network, by its Hugging Face name, with its shape.
    pub fn parameters(&self) -> Vec<(String, Vec<usize>)> {
        let hidden = self.hidden_size;
        let mut all = vec![
            ("bert.embeddings.word_embeddings.weight".to_owned(), vec![self.vocab_size, hidden]),
            (
                "bert.embeddings.position_embeddings.weight".to_owned(),
                vec![self.max_position_embeddings, hidden],
            ),
            ("bert.embeddings.token_type_embeddings.weight".to_owned(), vec![self.type_vocab_size, hidden]),
            ("bert.embeddings.LayerNorm.weight".to_owned(), vec![hidden]),
            ("bert.embeddings.LayerNorm.bias".to_owned(), vec![hidden]),
        ];
        for layer in 0..self.num_hidden_layers {
            let prefix = layer_prefix(layer);
            for (part, outputs, inputs) in self.layer_matrices() {
                all.push((format!("{prefix}.{part}.weight"), vec![outputs, inputs]));
                all.push((format!("{prefix}.{part}.bias"), vec![outputs]));
            }
            for norm in ["attention.output.LayerNorm", "output.LayerNorm"] {
                all.push((format!("{prefix}.{norm}.weight"), vec![hidden]));
                all.push((format!("{prefix}.{norm}.bias"), vec![hidden]));
            }
        }
        all.push((HEAD_WEIGHT.to_owned(), vec![2, hidden]));
        all.push((HEAD_BIAS.to_owned(), vec![2]));
        all
    }

    /// The six matrices of an encoder layer: the part of the name after the layer, outputs, inputs.
    fn layer_matrices(&self) -> [(&'static str, usize, usize); 6] {
        let (hidden, inner) = (self.hidden_size, self.intermediate_size);
        [
            ("attention.self.query", hidden, hidden),
            ("attention.self.key", hidden, hidden),
            ("attention.self.value", hidden, hidden),
            ("attention.output.dense", hidden, hidden),
            ("intermediate.dense", inner, hidden),
            ("output.dense", hidden, inner),
        ]
    }

    /// The matrices that pruning touches: the six of every encoder layer.
    pub fn prunable(&self) -> Vec<Matrix> {
        (0..self.num_hidden_layers)
            .flat_map(|layer| {
                self.layer_matrices().map(|(part, outputs, inputs)| {
                    let name = format!("{}.{part}.weight", layer_prefix(layer));
                    Matrix { name, outputs, inputs }
                })
            })
            .collect()
    }
}

/// Refuses a network whose tokens see only those before them, or that reads another network's output.
fn refuse_decoder(file: &Object) -> Result<()> {
    for (name, does) in [
        ("is_decoder", "each token sees only those before it"),
        ("add_cross_attention", "it reads the output of another network"),
        ("is_encoder_decoder", "it is two networks"),
    ] {
        ensure!(
            file.flag(name)? != Some(true),
            "{}: {name} is true: {does}; only BERT encoders are supported, so give an encoder",
            file.path().display()
        );
    }
    Ok(())
}

/// The name and the shape of a weight matrix, which is stored as `[outputs, inputs]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matrix {
    /// Its Hugging Face name.
    pub name: String,
    /// Rows.
    pub outputs: usize,
    /// Columns.
    pub inputs: usize,
}

/// The name of the weights that make start and end logits, `[2, hidden]`.
pub const HEAD_WEIGHT: &str = "qa_outputs.weight";

/// The name of their bias, `[2]`.
pub const HEAD_BIAS: &str = "qa_outputs.bias";

/// The prefix of the names of an encoder layer.
pub fn layer_prefix(layer: usize) -> String {
    format!("bert.encoder.layer.{layer}")
}
