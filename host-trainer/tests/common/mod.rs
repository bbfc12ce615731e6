//! A tiny BERT directory and a tiny data set, made in code.

use std::path::Path;

use blockspan_trainer::checkpoint::{self, Parameters};
use blockspan_trainer::config::Config;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const CONFIG: &str = r#"{"vocab_size": 32, "hidden_size": 16, "num_hidden_layers": 2,
  "num_attention_heads": 2, "intermediate_size": 32, "max_position_embeddings": 24,
  "model_type": "bert", "hidden_act": "gelu", "architectures": ["BertModel"], "kept": "as it was"}"#;

const WORDS: &str = "[PAD] [UNK] [CLS] [SEP] [MASK] who what where did the cat dog bird sat ran flew \
                     on under a mat tree sky . , ? red blue green ##s ##ly one two";

/// Where to find the first of many answers.
pub const DATA: &str = r#"{"data": [{"title": "t", "paragraphs": [
  {"context": "the red cat sat on a mat . the blue bird flew under the sky .", "qas": [
    {"id": "1", "question": "who sat ?", "answers": [{"text": "the red cat", "answer_start": 0}]},
    {"id": "2", "question": "who flew ?", "answers": [{"text": "blue bird", "answer_start": 31}]},
    {"id": "3", "question": "where did the cat ?", "answers": [{"text": "a mat", "answer_start": 19}]}]},
  {"context": "two dogs ran , one green tree .", "qas": [
    {"id": "4", "question": "what ran ?", "answers": [{"text": "two dogs", "answer_start": 0}]},
    {"id": "5", "question": "what green ?", "answers": [{"text": "tree", "answer_start": 25}]}]}]}]}"#;

/// Random parameters, large enough that every one matters.
pub fn random_parameters(config: &Config, seed: u64) -> Parameters {
    let mut rng = StdRng::seed_from_u64(seed);
    config
        .parameters()
        .into_iter()
        .map(|(name, shape)| {
            let offset = if name.ends_with("LayerNorm.weight") { 1.0 } else { 0.0 };
            let count = shape.iter().product();
            (name, (0..count).map(|_| offset + rng.random_range(-0.3..0.3f32)).collect())
        })
        .collect()
}

/// Writes a model directory `base` and the data set `data.json` under `root`.
pub fn write_base(root: &Path, seed: u64) -> Config {
    let base = root.join("base");
    std::fs::create_dir_all(&base).expect("a directory");
    std::fs::write(base.join("config.json"), CONFIG).expect("config.json");
    std::fs::write(base.join("vocab.txt"), WORDS.split_whitespace().collect::<Vec<_>>().join("\n"))
        .expect("vocab.txt");
    std::fs::write(root.join("data.json"), DATA).expect("data.json");
    let config = Config::read(&base).expect("a configuration");
    checkpoint::save(&base, &base, &config, &random_parameters(&config, seed)).expect("a checkpoint");
    config
}
