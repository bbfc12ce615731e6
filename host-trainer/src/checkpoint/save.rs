//! Writing a checkpoint that transformers loads, never leaving half a file under a final name.

use std::path::Path;

use anyhow::{Context, Result};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Map, Value, json};

use super::Parameters;
use crate::config::Config;
use crate::output::write_atomically;

/// Files of the tokenizer that are copied along when the source directory has them.
const TOKENIZER_FILES: [&str; 5] =
    ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt", "added_tokens.json"];

/// Writes `parameters` to `directory` (made if missing) in f32, as `BertForQuestionAnswering` stores
/// them, with the configuration and the tokenizer of `source`. `config.json` keeps the fields of the
/// source. The weights are written last, so a directory with weights is complete.
///
/// # Errors
/// A file that cannot be read or written; the message names it.
pub fn save(directory: &Path, source: &Path, config: &Config, parameters: &Parameters) -> Result<()> {
    std::fs::create_dir_all(directory)
        .with_context(|| format!("{}: cannot make the directory", directory.display()))?;
    let same_directory = directory.canonicalize().ok() == source.canonicalize().ok();
    for name in TOKENIZER_FILES {
        let from = source.join(name);
        if from.exists() && !same_directory {
            let bytes = std::fs::read(&from).with_context(|| format!("{}: cannot read", from.display()))?;
            write_atomically(&directory.join(name), &bytes)?;
        }
    }
    write_atomically(&directory.join("config.json"), config_json(source, config)?.as_bytes())?;
    write_atomically(&directory.join("model.safetensors"), &serialize(config, parameters)?)
}

/// The source's configuration with what identifies the network as saved here.
fn config_json(source: &Path, config: &Config) -> Result<String> {
    let path = source.join("config.json");
    let mut fields: Map<String, Value> = match std::fs::read_to_string(&path) {
        Ok(text) => {
            serde_json::from_str(&text).with_context(|| format!("{}: not a JSON object", path.display()))?
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Map::new(),
        Err(error) => return Err(error).with_context(|| format!("{}: cannot read", path.display())),
    };
    let own = json!({
        "architectures": ["BertForQuestionAnswering"],
        "model_type": config.model_type,
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "num_hidden_layers": config.num_hidden_layers,
        "num_attention_heads": config.num_attention_heads,
        "intermediate_size": config.intermediate_size,
        "max_position_embeddings": config.max_position_embeddings,
        "type_vocab_size": config.type_vocab_size,
        "layer_norm_eps": config.layer_norm_eps,
        "initializer_range": config.initializer_range,
        "hidden_act": config.hidden_act,
        "position_embedding_type": config.position_embedding_type,
    });
    if let Value::Object(own) = own {
        fields.extend(own);
    }
    // Older and newer transformers name the number format differently.
    for name in ["dtype", "torch_dtype"] {
        if name == "torch_dtype" || fields.contains_key(name) {
            fields.insert(name.into(), "float32".into());
        }
    }
    Ok(serde_json::to_string_pretty(&fields)? + "\n")
}

fn serialize(config: &Config, parameters: &Parameters) -> Result<Vec<u8>> {
    let mut data = Vec::new();
    for (name, shape) in config.parameters() {
        let values = parameters.get(&name).with_context(|| format!("{name} is missing"))?;
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        data.push((name, shape, bytes));
    }
    let views = data
        .iter()
        .map(|(name, shape, bytes)| Ok((name, TensorView::new(Dtype::F32, shape.clone(), bytes)?)))
        .collect::<Result<Vec<_>>>()?;
    let metadata = [("format".to_owned(), "pt".to_owned())].into();
    Ok(safetensors::serialize(views, Some(metadata))?)
}
