//! From a packed file back to a Hugging Face directory, to train it further or to read it with other programs.
//!
//! Every weight becomes `scale · q` in f32, so the directory holds the network that the file holds: its zeros are zeros
//! still, and packing it again gives the same int8 weights. What rounding took away does not come back.

use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use blockspan_engine::format::{ALIGN, Kind, SectionId, WordDtype, section_ids};
use blockspan_engine::tokenizer::flags;
use blockspan_engine::{AlignedBytes, Model};
use blockspan_kernels::matrix::Matrix;
use half::f16;
use serde_json::json;

use crate::checkpoint::{self, Parameters, weight_file};
use crate::config::{Config, layer_prefix};
use crate::output::write_atomically;
use crate::quantization::Smoothing;

/// Writes the model of the packed file `packed` into the directory `out`, which is made if missing: `config.json`,
/// `vocab.txt`, `tokenizer_config.json`, `model.safetensors` in f32, and the factors that smoothed its features, which
/// [`pack`](crate::pack) takes again.
///
/// # Errors
/// A file that is no packed model, a directory that holds a model already, or a file that cannot be written; the message
/// names it.
pub fn unpack(packed: &Path, out: &Path) -> Result<()> {
    let bytes = AlignedBytes::read_file(packed)?;
    let model = Model::parse(&bytes).map_err(|error| anyhow!("{}: {error}", packed.display()))?;
    ensure!(
        weight_file(|name| out.join(name).exists()).is_none(),
        "{}: holds a model already; name another directory with --out",
        out.display()
    );
    let unpacker = Unpacker { bytes: &bytes, model: &model };
    let (parameters, smoothing) = unpacker.parameters()?;
    std::fs::create_dir_all(out).with_context(|| format!("{}: cannot make the directory", out.display()))?;
    write_tokenizer(&model, out).with_context(|| packed.display().to_string())?;
    smoothing.save(out)?;
    // The weights come last, so a directory with weights is complete.
    checkpoint::save(out, out, &config(&model), &parameters)
}

/// The configuration as `config.json` holds it.
fn config(model: &Model<'_>) -> Config {
    let packed = model.config();
    Config {
        vocab_size: packed.vocab,
        hidden_size: packed.hidden,
        num_hidden_layers: packed.layers,
        num_attention_heads: packed.heads,
        intermediate_size: packed.intermediate,
        max_position_embeddings: packed.max_positions,
        type_vocab_size: packed.token_types,
        // As a person would write it: 1e-12 in f32 is 9.999999960041972e-13 in f64.
        layer_norm_eps: packed.layer_norm_eps.to_string().parse().unwrap_or(f64::from(packed.layer_norm_eps)),
        initializer_range: 0.02,
        hidden_dropout_prob: 0.1,
        attention_probs_dropout_prob: 0.1,
        hidden_act: "gelu".into(),
        position_embedding_type: "absolute".into(),
        model_type: "bert".into(),
    }
}

/// `vocab.txt`, a token a line in the order of their ids, and the flags of the normalizer.
fn write_tokenizer(model: &Model<'_>, out: &Path) -> Result<()> {
    let (vocabulary, special) = (model.tokenizer().vocabulary(), model.tokenizer().special());
    let mut text = String::new();
    for id in 0..u32::try_from(vocabulary.len())? {
        match vocabulary.token(id) {
            Some(token) => {
                ensure!(
                    !token.contains(['\n', '\r']),
                    "token {id} holds a line break, which vocab.txt cannot"
                );
                text.push_str(token);
            }
            // The line must be there for the ids behind it, and must be no other token.
            None => text.push_str(&format!("[no token {id}]")),
        }
        text.push('\n');
    }
    let name = |id: u32| vocabulary.token(id).with_context(|| format!("its special token {id} has no text"));
    let set = |flag: u32| model.tokenizer().normalizer().flags() & flag != 0;
    let config = json!({
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": set(flags::LOWER_CASE),
        "strip_accents": set(flags::STRIP_ACCENTS),
        "tokenize_chinese_chars": set(flags::HANDLE_CHINESE_CHARS),
        "unk_token": name(special.unk)?,
        "cls_token": name(special.cls)?,
        "sep_token": name(special.sep)?,
        "pad_token": name(special.pad)?,
        "mask_token": name(special.mask)?,
    });
    write_atomically(&out.join("vocab.txt"), text.as_bytes())?;
    let config = serde_json::to_string_pretty(&config)? + "\n";
    write_atomically(&out.join("tokenizer_config.json"), config.as_bytes())
}

struct Unpacker<'a> {
    bytes: &'a [u8],
    model: &'a Model<'a>,
}

impl Unpacker<'_> {
    /// Every parameter by its Hugging Face name, and the factors of the LayerNorms.
    fn parameters(&self) -> Result<(Parameters, Smoothing)> {
        let config = self.model.config();
        let mut parameters = Parameters::new();
        // Matrices divide by the factors of the LayerNorm before them, so those come first.
        let mut factors = std::collections::BTreeMap::new();
        for id in section_ids(config.layers) {
            let Some(stem) = layer_norm_name(id) else { continue };
            let values = floats(self.section(id)?);
            let [gamma, beta, s] = thirds(&values);
            let times = |values: &[f32]| values.iter().zip(s).map(|(value, s)| value * s).collect::<Vec<_>>();
            parameters.insert(format!("{stem}.weight"), times(gamma));
            parameters.insert(format!("{stem}.bias"), times(beta));
            factors.insert(stem, s.to_vec());
        }
        let smoothing = Smoothing::new(factors);
        for id in section_ids(config.layers) {
            let section = self.section(id)?;
            match id.kind {
                Kind::WordEmbeddings => {
                    parameters.insert("bert.embeddings.word_embeddings.weight".into(), self.words(section));
                }
                Kind::PositionEmbeddings => {
                    parameters.insert("bert.embeddings.position_embeddings.weight".into(), halves(section));
                }
                Kind::TokenTypeEmbeddings => {
                    parameters.insert("bert.embeddings.token_type_embeddings.weight".into(), halves(section));
                }
                Kind::QaOutputs => {
                    let mut weight = floats(section);
                    let bias = weight.split_off(2 * config.hidden);
                    parameters.insert("qa_outputs.weight".into(), weight);
                    parameters.insert("qa_outputs.bias".into(), bias);
                }
                _ => {}
            }
            if let Some((matrix, stem)) = self.model.matrix(id).zip(matrix_name(id)) {
                let weight = format!("{stem}.weight");
                let (values, bias) = dequantized(&matrix, smoothing.before(&weight));
                parameters.insert(weight, values);
                parameters.insert(format!("{stem}.bias"), bias);
            }
        }
        Ok((parameters, smoothing))
    }

    fn section(&self, id: SectionId) -> Result<&[u8]> {
        let entry = self.model.sections().find(|entry| entry.id == id).context("a section is missing")?;
        let start = usize::try_from(entry.offset)?;
        self.bytes.get(start..start + usize::try_from(entry.length)?).context("a section is cut off")
    }

    /// The word embeddings, whose layout [`blockspan_engine::format::Config::word_dtype`] tells.
    fn words(&self, section: &[u8]) -> Vec<f32> {
        let config = self.model.config();
        if config.word_dtype == WordDtype::F16 {
            return halves(section);
        }
        let (scales, quantized) = section.split_at((4 * config.vocab).next_multiple_of(ALIGN));
        let rows = floats(scales).into_iter().zip(quantized.chunks_exact(config.hidden));
        rows.flat_map(|(scale, row)| row.iter().map(move |&q| scale * f32::from(q.cast_signed()))).collect()
    }
}

/// Weights, outputs × inputs row by row, and the bias.
fn dequantized(matrix: &Matrix<'_>, smoothing: Option<&[f32]>) -> (Vec<f32>, Vec<f32>) {
    let (mut values, cols, bias);
    match matrix {
        Matrix::OutputBlock(matrix) => {
            cols = matrix.cols();
            values = vec![0f32; matrix.rows() * cols];
            bias = matrix.biases().to_vec();
            for strip in 0..matrix.rows() / 4 {
                for (columns, weights) in matrix.tiles(strip) {
                    // Four outputs of four columns each.
                    for (row, weights) in (4 * strip..).zip(weights.chunks_exact(4)) {
                        for (column, &q) in columns.into_iter().zip(weights) {
                            // What fills the last tile up names a column again, with 0.
                            if q != 0 {
                                values[row * cols + column] = matrix.scale(row) * f32::from(q);
                            }
                        }
                    }
                }
            }
        }
        Matrix::InputBlock(matrix) => {
            cols = matrix.cols();
            values = vec![0f32; matrix.rows() * cols];
            bias = matrix.biases().to_vec();
            for row in 0..matrix.rows() {
                for panel in 0..matrix.panels() {
                    for (block, weights) in matrix.blocks(panel, row) {
                        for (column, &q) in (4 * block..).zip(weights) {
                            values[row * cols + column] = matrix.scale(row) * f32::from(q);
                        }
                    }
                }
            }
        }
    }
    if let Some(smoothing) = smoothing {
        for row in values.chunks_exact_mut(cols) {
            row.iter_mut().zip(smoothing).for_each(|(w, s)| *w /= s);
        }
    }
    (values, bias)
}

fn layer_norm_name(id: SectionId) -> Option<String> {
    let prefix = layer_prefix(id.layer.unwrap_or(0) as usize);
    Some(match id.kind {
        Kind::EmbeddingsLayerNorm => "bert.embeddings.LayerNorm".into(),
        Kind::AttentionLayerNorm => format!("{prefix}.attention.output.LayerNorm"),
        Kind::OutputLayerNorm => format!("{prefix}.output.LayerNorm"),
        _ => return None,
    })
}

fn matrix_name(id: SectionId) -> Option<String> {
    let part = match id.kind {
        Kind::Query => "attention.self.query",
        Kind::Key => "attention.self.key",
        Kind::Value => "attention.self.value",
        Kind::AttentionOutput => "attention.output.dense",
        Kind::Intermediate => "intermediate.dense",
        Kind::Output => "output.dense",
        _ => return None,
    };
    Some(format!("{}.{part}", layer_prefix(id.layer? as usize)))
}

fn thirds(values: &[f32]) -> [&[f32]; 3] {
    let third = values.len() / 3;
    [&values[..third], &values[third..2 * third], &values[2 * third..]]
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

fn halves(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect()
}
