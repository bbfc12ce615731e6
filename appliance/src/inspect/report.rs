//! What there is to tell about a model.

use blockspan_engine::Model;
use blockspan_engine::format::{Config, Entry, VERSION, WordDtype};
use serde::Serialize;

use crate::card;

/// All of it; the JSON of `inspect --json`.
#[derive(Serialize)]
pub struct Report {
    pub model: String,
    pub format_version: u32,
    pub file_bytes: usize,
    pub header: Header,
    /// Key and value of each line.
    pub metadata: Vec<(String, String)>,
    pub sections: Vec<Section>,
    pub totals: Totals,
    pub workspace: Workspace,
}

/// The header's fields.
#[derive(Serialize)]
pub struct Header {
    pub pattern: &'static str,
    pub hidden: usize,
    pub layers: usize,
    pub heads: usize,
    pub head_dim: usize,
    pub intermediate: usize,
    pub vocab: usize,
    pub max_positions: usize,
    pub token_types: usize,
    pub max_seq_len: usize,
    pub doc_stride: usize,
    pub layer_norm_eps: f32,
    pub word_dtype: &'static str,
    pub special_ids: SpecialIds,
}

#[derive(Serialize)]
pub struct SpecialIds {
    pub unk: u32,
    pub cls: u32,
    pub sep: u32,
    pub pad: u32,
    pub mask: u32,
}

#[derive(Serialize)]
pub struct Section {
    pub name: String,
    pub offset: u64,
    pub bytes: u64,
    /// Hexadecimal; a JSON number would lose digits in many readers.
    pub xxh64: String,
    pub matrix: Option<Matrix>,
}

/// A packed matrix of the encoder.
#[derive(Serialize)]
pub struct Matrix {
    pub rows: usize,
    pub cols: usize,
    pub pattern: &'static str,
    pub kept_blocks: usize,
    /// Share of the 1×4 blocks that are kept, 0 to 1.
    pub density: f64,
}

#[derive(Serialize)]
pub struct Totals {
    /// Weights of the encoder's matrices, zeros included.
    pub encoder_weights: usize,
    /// Those in kept blocks.
    pub kept_weights: usize,
    pub density: f64,
    /// Parameters of the dense model.
    pub parameters: usize,
    /// The same as f32.
    pub dense_f32_bytes: usize,
    /// How many times the file fits into that.
    pub dense_f32_ratio: f64,
    /// Memory that a session needs for windows of `max_seq_len` tokens on one thread.
    pub workspace_bytes: usize,
    /// What each further thread adds.
    pub workspace_bytes_per_thread: usize,
}

/// What a session needs that is to read windows of so many tokens on so many threads.
#[derive(Serialize)]
pub struct Workspace {
    pub max_seq_len: usize,
    pub threads: usize,
    /// Bytes, wherever in memory they begin.
    pub bytes: usize,
}

impl Report {
    /// Reads it all off the model.
    pub fn new(name: &str, file_bytes: usize, model: &Model<'_>, workspace: Workspace) -> Self {
        let config = model.config();
        let sections: Vec<Section> = model.sections().map(|entry| Section::new(&entry, model)).collect();
        let totals = Totals::new(&sections, file_bytes, model);
        Self {
            model: name.to_owned(),
            format_version: VERSION,
            file_bytes,
            header: Header::new(config),
            metadata: card::entries(model.metadata()),
            sections,
            totals,
            workspace,
        }
    }
}

impl Header {
    fn new(config: &Config) -> Self {
        let special = config.special;
        Self {
            pattern: config.pattern.name(),
            hidden: config.hidden,
            layers: config.layers,
            heads: config.heads,
            head_dim: config.head_dim(),
            intermediate: config.intermediate,
            vocab: config.vocab,
            max_positions: config.max_positions,
            token_types: config.token_types,
            max_seq_len: config.max_seq_len,
            doc_stride: config.doc_stride,
            layer_norm_eps: config.layer_norm_eps,
            word_dtype: match config.word_dtype {
                WordDtype::I8 => "i8",
                WordDtype::F16 => "f16",
            },
            special_ids: SpecialIds {
                unk: special.unk,
                cls: special.cls,
                sep: special.sep,
                pad: special.pad,
                mask: special.mask,
            },
        }
    }
}

impl Section {
    fn new(entry: &Entry, model: &Model<'_>) -> Self {
        let matrix = model.matrix(entry.id).map(|matrix| Matrix {
            rows: matrix.rows(),
            cols: matrix.cols(),
            pattern: matrix.pattern().name(),
            kept_blocks: matrix.kept_blocks(),
            density: matrix.density(),
        });
        Self {
            name: entry.id.to_string(),
            offset: entry.offset,
            bytes: entry.length,
            xxh64: format!("{:016x}", entry.checksum),
            matrix,
        }
    }
}

impl Totals {
    fn new(sections: &[Section], file_bytes: usize, model: &Model<'_>) -> Self {
        let config = model.config();
        let matrices = || sections.iter().filter_map(|section| section.matrix.as_ref());
        let encoder_weights: usize = matrices().map(|matrix| matrix.rows * matrix.cols).sum();
        let kept_weights: usize = matrices().map(|matrix| 4 * matrix.kept_blocks).sum();
        let parameters = parameters(config);
        Self {
            encoder_weights,
            kept_weights,
            density: kept_weights as f64 / encoder_weights as f64,
            parameters,
            dense_f32_bytes: 4 * parameters,
            dense_f32_ratio: 4.0 * parameters as f64 / file_bytes as f64,
            workspace_bytes: model.workspace_len(config.max_seq_len, 1),
            workspace_bytes_per_thread: model.workspace_len(config.max_seq_len, 2)
                - model.workspace_len(config.max_seq_len, 1),
        }
    }
}

/// Parameters of a dense `BertForQuestionAnswering` of this shape (it has no pooler).
fn parameters(config: &Config) -> usize {
    let (hidden, intermediate) = (config.hidden, config.intermediate);
    let linear = |inputs: usize, outputs: usize| inputs * outputs + outputs;
    let layer_norm = 2 * hidden;
    let embeddings = (config.vocab + config.max_positions + config.token_types) * hidden + layer_norm;
    let attention = 4 * linear(hidden, hidden) + layer_norm;
    let feed_forward = linear(hidden, intermediate) + linear(intermediate, hidden) + layer_norm;
    embeddings + config.layers * (attention + feed_forward) + linear(hidden, 2)
}

#[cfg(all(test, default_model))]
mod tests {
    use blockspan_engine::Model;

    use super::parameters;
    use crate::model_source::ModelSource;

    /// all-MiniLM-L6-v2 is published with 22 713 216 parameters, of which its pooler has 384 × 384 + 384; a
    /// question-answering head has 2 × 384 + 2.
    #[test]
    fn parameters_are_those_of_the_dense_model() {
        let source = ModelSource::open(None).unwrap();
        let model: Model<'_> = source.parse().unwrap();
        assert_eq!(parameters(model.config()), 22_713_216 - (384 * 384 + 384) + (2 * 384 + 2));
    }
}
