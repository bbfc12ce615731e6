//! Models as small as the format allows, for the fuzz targets: parsing one and answering from it takes a fraction of a
//! millisecond, and they still have both patterns, both types of word embeddings, several layers and heads, and
//! sizes that fill no vector.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use blockspan_engine::format::{ALIGN, ENTRY_LEN, Entry, HEADER_LEN, Kind, WordDtype};
use blockspan_engine::tokenizer::{BLOCK, BLOCKS, POOL};
use blockspan_engine::{AlignedBytes, Model, xxh64};
use blockspan_trainer::checkpoint::{self, Parameters};
use blockspan_trainer::config::Config;
use blockspan_trainer::pack::{self, Calibration, PackOptions};
use blockspan_trainer::prune::pattern::{Blocks, Pattern};
use serde_json::json;

use crate::random::Random;

/// Positions, and so tokens of a window.
const POSITIONS: usize = 24;

const SPECIAL: &str = "[PAD] [UNK] [CLS] [SEP] [MASK]";

/// Letters with and without accents, an ideograph and jamo, so that the normalizer's ways all lead to tokens.
const UNCASED: &str = "the cat sat on a mat who ? . , - ##s ##t ##at ##é b é ß 東 한 \u{1112} ##\u{1161} ##\u{11ab} ##\u{3099} \
                       ##ab ##abc abcd 1 ##1 ##9 ά";
const CASED: &str = "The the Cat cat Is On ? . A a ##A ##a é ##é É 東 ##S ##s b ##b 1 ##1";

/// One of the models.
#[derive(Debug)]
pub struct Spec {
    /// The name of its file, without the extension.
    pub name: &'static str,
    pattern: Pattern,
    hidden: usize,
    layers: usize,
    heads: usize,
    intermediate: usize,
    embeddings: WordDtype,
    cased: bool,
    seed: u64,
}

/// The models, in the order of the fuzz targets' numbers.
pub const SMALLEST: [Spec; 3] = [
    Spec {
        name: "output-block",
        pattern: Pattern::OutputBlock,
        hidden: 8,
        layers: 1,
        heads: 2,
        intermediate: 12,
        embeddings: WordDtype::I8,
        cased: false,
        seed: 21,
    },
    Spec {
        name: "input-block",
        pattern: Pattern::InputBlock,
        hidden: 12,
        layers: 2,
        heads: 1,
        intermediate: 8,
        embeddings: WordDtype::I8,
        cased: false,
        seed: 22,
    },
    Spec {
        name: "cased",
        pattern: Pattern::OutputBlock,
        hidden: 4,
        layers: 1,
        heads: 1,
        intermediate: 4,
        embeddings: WordDtype::F16,
        cased: true,
        seed: 23,
    },
];

impl Spec {
    /// The model's file.
    ///
    /// # Errors
    /// The checkpoint cannot be written to the temporary directory, or not be packed.
    pub fn pack(&self) -> Result<AlignedBytes> {
        let directory = tempfile::tempdir()?;
        // The file names the directory that it was packed from.
        let path = &directory.path().join(self.name);
        std::fs::create_dir(path)?;
        self.write_checkpoint(path)?;
        let options = PackOptions {
            embeddings: self.embeddings,
            max_seq_len: POSITIONS,
            doc_stride: POSITIONS / 3,
            calibration: Calibration::Off,
            ..PackOptions::default()
        };
        let (bytes, report) = pack::pack_to_bytes(path, &options)?;
        ensure!(report.pattern == self.pattern, "{}: the zeros show {}", self.name, report.pattern);
        with_fewer_characters(&bytes)
    }

    fn write_checkpoint(&self, directory: &Path) -> Result<()> {
        let words = if self.cased { CASED } else { UNCASED };
        let vocabulary: Vec<_> = SPECIAL.split(' ').chain(words.split_whitespace()).collect();
        let config = json!({
            "model_type": "bert",
            "hidden_act": "gelu",
            "vocab_size": vocabulary.len(),
            "hidden_size": self.hidden,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "intermediate_size": self.intermediate,
            "max_position_embeddings": POSITIONS,
        });
        std::fs::write(directory.join("config.json"), config.to_string())?;
        std::fs::write(directory.join("vocab.txt"), vocabulary.join("\n"))?;
        let tokenizer = json!({ "do_lower_case": !self.cased });
        std::fs::write(directory.join("tokenizer_config.json"), tokenizer.to_string())?;
        let config = Config::read(directory)?;
        checkpoint::save(directory, directory, &config, &self.parameters(&config))
    }

    /// Random, and half of the blocks of each of the encoder's matrices zero.
    fn parameters(&self, config: &Config) -> Parameters {
        let mut random = Random::new(self.seed);
        let mut parameters: Parameters = config
            .parameters()
            .into_iter()
            .map(|(name, shape)| {
                let offset = if name.ends_with("LayerNorm.weight") { 1.0 } else { 0.0 };
                let mut value = || offset + (random.below(2001) as f32 - 1000.0) / 1000.0;
                (name, (0..shape.iter().product()).map(|_| value()).collect())
            })
            .collect();
        for matrix in config.prunable() {
            let Some(weights) = parameters.get_mut(&matrix.name) else { continue };
            for block in 0..weights.len() / 4 {
                if random.below(2) == 0 {
                    for at in self.pattern.places(block, matrix.inputs) {
                        weights[at] = 0.0;
                    }
                }
            }
        }
        parameters
    }
}

/// Code points whose normalization is kept, one for each block of 128: Latin with one accent and with two, combining
/// marks, Greek, punctuation, kana, ideographs, Hangul.
const KEPT: [usize; 9] = [0x80, 0x100, 0x300, 0x380, 0x1e80, 0x2000, 0x3080, 0x4e00, 0xac00];

/// The same model with a normalizer that leaves most of Unicode as it is: its tables would be most of the file, and
/// checking them most of a case's time.
fn with_fewer_characters(bytes: &[u8]) -> Result<AlignedBytes> {
    let model = Model::parse(bytes)?;
    let (mut table, mut content) = (Vec::new(), Vec::new());
    let start = (HEADER_LEN + ENTRY_LEN * model.sections().count()).next_multiple_of(ALIGN);
    for entry in model.sections() {
        let from = usize::try_from(entry.offset)?;
        let section = bytes.get(from..from + usize::try_from(entry.length)?).context("outside the file")?;
        let section = match entry.id.kind {
            Kind::Normalizer => smaller_normalizer(section),
            _ => section.to_vec(),
        };
        let offset = (start + content.len()) as u64;
        let entry = Entry { offset, length: section.len() as u64, checksum: xxh64(&section), ..entry };
        table.extend(entry.to_bytes());
        content.extend(section);
        content.resize(content.len().next_multiple_of(ALIGN), 0);
    }
    let header = model.config().header((start + content.len()) as u64, &table).map_err(anyhow::Error::msg)?;
    let mut bytes = [&header[..], &table].concat();
    bytes.resize(start, 0);
    bytes.extend(content);
    let bytes = AlignedBytes::from(bytes);
    Model::parse(&bytes)?;
    Ok(bytes)
}

/// The section without the blocks that none of [`KEPT`] lies in, and without the end of the pool that only those named.
fn smaller_normalizer(section: &[u8]) -> Vec<u8> {
    let halves = |bytes: &[u8]| -> Vec<u16> {
        bytes.as_chunks().0.iter().map(|&half| u16::from_le_bytes(half)).collect()
    };
    let blocks = section[4..8].first_chunk().map_or(0, |&word| u32::from_le_bytes(word)) as usize;
    let (head, rest) = section.split_at(144);
    let (block, rest) = rest.split_at(2 * BLOCKS);
    let (actions, pool) = rest.split_at(2 * BLOCK * blocks);
    let (block, actions) = (halves(block), halves(actions));

    // Block 0: every character is a letter that stays as it is.
    let mut new_actions = vec![0u16; BLOCK];
    let mut new_block = vec![0u16; BLOCKS];
    for code in KEPT {
        let old = block[code / BLOCK];
        let number = (new_actions.len() / BLOCK) as u16;
        // Blocks that were the same are the same again, as those of Hangul.
        let same = block.iter().zip(&mut new_block).skip(1).filter(|(other, _)| **other == old);
        same.for_each(|(_, new)| *new = number);
        new_actions.extend_from_slice(&actions[usize::from(old) * BLOCK..][..BLOCK]);
    }
    let last = new_actions.iter().max().copied().unwrap_or(0);
    let behind = actions.iter().filter(|&&action| action > last).min();
    let pool_len = behind.map_or(pool.len(), |&action| usize::from(action.saturating_sub(POOL)));

    let mut new = head.to_vec();
    new[4..8].copy_from_slice(&((new_actions.len() / BLOCK) as u32).to_le_bytes());
    new[8..12].copy_from_slice(&(pool_len as u32).to_le_bytes());
    new.extend(new_block.iter().chain(&new_actions).flat_map(|half| half.to_le_bytes()));
    new.extend(&pool[..pool_len]);
    new
}
