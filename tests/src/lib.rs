//! What the workspace's tests share: where the fixtures lie, models packed from them, damage to models, and models
//! for the fuzz targets.

pub mod hostile;
pub mod random;
pub mod smallest;

use std::path::{Path, PathBuf};

use anyhow::Context;
use blockspan_engine::AlignedBytes;
use blockspan_trainer::pack;
use serde::Deserialize;

/// The names of the tiny models.
pub const TINY: [&str; 3] = ["output-block", "input-block", "cased"];

/// A path under `fixtures/`.
pub fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(path)
}

/// A tiny model, packed in memory.
///
/// # Errors
/// The fixture cannot be read or packed.
pub fn packed_tiny(name: &str) -> anyhow::Result<AlignedBytes> {
    Ok(pack::pack_to_bytes(&fixture(&format!("tiny/{name}")), &pack::PackOptions::default())?.0)
}

/// The default model's bytes, aligned for the engine.
///
/// # Errors
/// The file cannot be read.
pub fn default_model() -> anyhow::Result<AlignedBytes> {
    Ok(AlignedBytes::read_file(fixture("default.bspan"))?)
}

/// A question and passage with the reference implementation's tokens.
#[derive(Debug, Deserialize)]
pub struct GoldenPair {
    /// The question.
    pub question: String,
    /// The passage.
    pub context: String,
    /// `[CLS] question [SEP] passage [SEP]`.
    pub input_ids: Vec<u32>,
    /// Segments.
    pub token_type_ids: Vec<u32>,
    /// Byte offsets in question or passage; `[0, 0]` for special tokens.
    pub byte_offsets: Vec<[u32; 2]>,
}

/// The reference implementation's logits for the pairs of a tiny model.
#[derive(Debug)]
pub struct Golden {
    /// The pairs.
    pub pairs: Vec<GoldenPair>,
    /// For each pair its start and its end logits.
    pub logits: Vec<[Vec<f32>; 2]>,
}

impl Golden {
    /// Reads `golden.json` and `golden.safetensors` of a tiny model.
    ///
    /// # Errors
    /// A file is missing or not what it should be.
    pub fn read(name: &str) -> anyhow::Result<Self> {
        #[derive(Deserialize)]
        struct File {
            pairs: Vec<GoldenPair>,
        }
        let directory = fixture(&format!("tiny/{name}"));
        let file: File = serde_json::from_slice(&std::fs::read(directory.join("golden.json"))?)?;
        let bytes = std::fs::read(directory.join("golden.safetensors"))?;
        let tensors = safetensors::SafeTensors::deserialize(&bytes)?;
        let tensor = |name: String| -> anyhow::Result<Vec<f32>> {
            let view = tensors.tensor(&name).with_context(|| name.clone())?;
            let words = view.data().as_chunks().0;
            Ok(words.iter().map(|&word| f32::from_le_bytes(word)).collect())
        };
        let logits = (0..file.pairs.len())
            .map(|i| Ok([tensor(format!("{i}.start_logits"))?, tensor(format!("{i}.end_logits"))?]))
            .collect::<anyhow::Result<_>>()?;
        Ok(Self { pairs: file.pairs, logits })
    }
}
