//! From a Hugging Face directory to one packed file: int8 weights with a scale per output row, blocks of zeros
//! left out, the tokenizer in the engine's own tables.

mod calibrate;
mod metadata;
pub mod tokenizer;
mod writer;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};
use blockspan_engine::format::{Config as FileConfig, Kind, SectionId, WordDtype, section_ids};
use blockspan_engine::{AlignedBytes, Model};
use blockspan_kernels::matrix;

use crate::checkpoint::Reader;
use crate::config::{Config, layer_prefix};
use crate::features::WindowOptions;
use crate::inspect::Inspection;
use crate::output;
use crate::prune::pattern::{BLOCK, Blocks, Pattern};
use crate::quantization::{Smoothing, halves, quantize_weights};
use crate::tokenizer::{check_vocabulary, read_tokenizer};
pub use calibrate::{Calibration, smoothing};
use metadata::metadata;
pub use metadata::with_metadata;
use tokenizer::TokenizerSections;

/// Columns of a panel of an input-block matrix: the fastest of 256, 512 and 1024 (benchmarks/RESULTS.md).
const PANEL_COLS: usize = 512;

/// How to pack.
#[derive(Clone, Debug)]
pub struct PackOptions {
    /// How word embeddings are stored.
    pub embeddings: WordDtype,
    /// Default window of the packed model, tokens; at most its positions.
    pub max_seq_len: usize,
    /// Default overlap of windows, tokens; at most a third of windows that the model's positions cut short.
    pub doc_stride: usize,
    /// Keys and values for the metadata, beside and in place of what the directory's card says.
    pub metadata: Vec<(String, String)>,
    /// Packs a checkpoint whose zeros follow neither pattern: every block that holds a weight is kept.
    pub force_dense: bool,
    /// What shows how large activations become, so that outlier features can be smoothed.
    pub calibration: Calibration,
}

impl Default for PackOptions {
    fn default() -> Self {
        Self {
            embeddings: WordDtype::I8,
            max_seq_len: 384,
            doc_stride: 128,
            metadata: Vec::new(),
            force_dense: false,
            calibration: Calibration::default(),
        }
    }
}

/// What became of a matrix.
#[derive(Clone, Debug)]
pub struct MatrixReport {
    /// Its Hugging Face name.
    pub name: String,
    /// Outputs and inputs.
    pub shape: (usize, usize),
    /// Share of the weights that are 0 in the checkpoint.
    pub sparsity: f64,
    /// Share of the blocks that the packed file holds.
    pub density: f64,
}

/// What became of a checkpoint.
#[derive(Clone, Debug)]
pub struct PackReport {
    /// The pattern of all matrices.
    pub pattern: Pattern,
    /// The encoder's matrices, in the order of the layers.
    pub matrices: Vec<MatrixReport>,
    /// Features of LayerNorms' results that were smoothed, of how many, and the largest factor.
    pub smoothed: (usize, usize, f32),
    /// Length of the file in bytes.
    pub file_len: usize,
}

/// Packs the model in `directory` into the file `out`, which appears only when it is complete and has been parsed; `-` is
/// standard output.
///
/// # Errors
/// A checkpoint that cannot be read, whose zeros follow neither pattern (unless
/// [`force_dense`](PackOptions::force_dense) is set), or whose tokenizer is not BERT's; a
/// file that cannot be written. The message names the file and the place.
pub fn pack(directory: &Path, out: &Path, options: &PackOptions) -> Result<PackReport> {
    let (bytes, report) = pack_to_bytes(directory, options)?;
    output::write(out, &bytes)?;
    Ok(report)
}

/// As [`pack`], into memory.
///
/// # Errors
/// As for [`pack`].
pub fn pack_to_bytes(directory: &Path, options: &PackOptions) -> Result<(AlignedBytes, PackReport)> {
    let config = Config::read(directory)?;
    let reader = Reader::open(directory)?;
    reader.check_head()?;
    let tokenizer = tokenizer_sections(directory, &config)?;
    let inspection = Inspection::new(&config, &reader)?;
    let pattern =
        pattern(&inspection, options).map_err(|error| anyhow!("{}: {error}", reader.path().display()))?;
    let metadata = metadata(directory, &inspection, &options.metadata)?;
    let file_config = file_config(&config, options, pattern, &tokenizer);
    let shapes = config.parameters().into_iter().collect();
    let windows = WindowOptions { max_seq_len: file_config.max_seq_len, doc_stride: file_config.doc_stride };
    let smoothing = smoothing(directory, &config, windows, &options.calibration)?;
    let packer = Packer {
        reader: &reader,
        shapes,
        hidden: config.hidden_size,
        pattern,
        options,
        smoothing: &smoothing,
    };
    let (mut sections, mut matrices) = (Vec::new(), Vec::new());
    for id in section_ids(config.num_hidden_layers) {
        sections.push(match id.kind {
            Kind::Metadata => metadata.clone().into_bytes(),
            Kind::Vocabulary => tokenizer.vocabulary.clone(),
            Kind::WordPieceIndex => tokenizer.index.clone(),
            Kind::Normalizer => tokenizer.normalizer.clone(),
            _ => packer.section(id, &mut matrices)?,
        });
    }
    let bytes = writer::file(&file_config, &sections)
        .with_context(|| directory.join("config.json").display().to_string())?;
    Model::parse(&bytes).map_err(|error| {
        anyhow!("{}: packed, it makes a file that does not parse: {error}", reader.path().display())
    })?;
    let report = PackReport { pattern, matrices, smoothed: smoothing.summary(), file_len: bytes.len() };
    Ok((bytes, report))
}

/// Finds out, without reading the weights, whether [`pack`] will take the configuration, the names of the tensors and the
/// tokenizer of `directory`.
///
/// # Errors
/// What [`pack`] would say.
pub fn check(directory: &Path) -> Result<()> {
    let config = Config::read(directory)?;
    Reader::open(directory)?.check_head()?;
    tokenizer_sections(directory, &config).map(drop)
}

/// Finds out whether [`pack`] can hold the tokenizer of `directory` in the engine's tables.
///
/// # Errors
/// What [`pack`] would say.
pub fn check_tokenizer(directory: &Path, config: &Config) -> Result<()> {
    tokenizer_sections(directory, config).map(drop)
}

fn tokenizer_sections(directory: &Path, config: &Config) -> Result<TokenizerSections> {
    let (tokenizer, names, file) = read_tokenizer(directory)?;
    check_vocabulary(&tokenizer, config)
        .and_then(|()| TokenizerSections::from_tokenizer(&tokenizer, &names))
        .with_context(|| file.display().to_string())
}

/// The pattern of the encoder's zeros; output-block for a dense encoder, which either can hold.
fn pattern(inspection: &Inspection, options: &PackOptions) -> Result<Pattern> {
    match inspection.pattern() {
        Ok(found) => Ok(found.unwrap_or(Pattern::OutputBlock)),
        Err(_) if options.force_dense => Ok(inspection.total().closest()),
        Err(error) => Err(anyhow!(
            "{error}; prune it in 1×4 blocks (finetune --sparsity), or pack it as dense (--force-dense)"
        )),
    }
}

fn file_config(
    config: &Config,
    options: &PackOptions,
    pattern: Pattern,
    tokenizer: &TokenizerSections,
) -> FileConfig {
    let asked = WindowOptions { max_seq_len: options.max_seq_len, doc_stride: options.doc_stride };
    let max_seq_len = options.max_seq_len.min(config.max_position_embeddings);
    FileConfig {
        pattern,
        hidden: config.hidden_size,
        layers: config.num_hidden_layers,
        heads: config.num_attention_heads,
        intermediate: config.intermediate_size,
        vocab: config.vocab_size,
        max_positions: config.max_position_embeddings,
        token_types: config.type_vocab_size,
        max_seq_len,
        doc_stride: WindowOptions::or_own(Some(max_seq_len), None, asked, max_seq_len).doc_stride,
        layer_norm_eps: config.layer_norm_eps as f32,
        word_dtype: options.embeddings,
        special: tokenizer.special,
    }
}

/// Makes the sections that hold weights.
struct Packer<'a> {
    reader: &'a Reader,
    /// Of every parameter, by name.
    shapes: BTreeMap<String, Vec<usize>>,
    hidden: usize,
    pattern: Pattern,
    options: &'a PackOptions,
    smoothing: &'a Smoothing,
}

impl Packer<'_> {
    fn section(&self, id: SectionId, matrices: &mut Vec<MatrixReport>) -> Result<Vec<u8>> {
        let prefix = layer_prefix(id.layer.unwrap_or(0) as usize);
        let part = match id.kind {
            Kind::WordEmbeddings => {
                return self.word_embeddings("bert.embeddings.word_embeddings.weight");
            }
            Kind::PositionEmbeddings => {
                return self.halves("bert.embeddings.position_embeddings.weight");
            }
            Kind::TokenTypeEmbeddings => {
                return self.halves("bert.embeddings.token_type_embeddings.weight");
            }
            Kind::EmbeddingsLayerNorm => return self.layer_norm("bert.embeddings.LayerNorm"),
            Kind::QaOutputs => return self.pair("qa_outputs"),
            Kind::AttentionLayerNorm => {
                return self.layer_norm(&format!("{prefix}.attention.output.LayerNorm"));
            }
            Kind::OutputLayerNorm => return self.layer_norm(&format!("{prefix}.output.LayerNorm")),
            Kind::Query => "attention.self.query",
            Kind::Key => "attention.self.key",
            Kind::Value => "attention.self.value",
            Kind::AttentionOutput => "attention.output.dense",
            Kind::Intermediate => "intermediate.dense",
            Kind::Output => "output.dense",
            Kind::Metadata | Kind::Vocabulary | Kind::WordPieceIndex | Kind::Normalizer => "",
        };
        self.matrix(&format!("{prefix}.{part}"), matrices)
    }

    fn get(&self, name: &str) -> Result<Vec<f32>> {
        self.reader.read(name, self.shape(name)?)
    }

    fn shape(&self, name: &str) -> Result<&[usize]> {
        self.shapes.get(name).map(Vec::as_slice).with_context(|| format!("{name} is no parameter"))
    }

    /// Weight, then bias, in f32.
    fn pair(&self, stem: &str) -> Result<Vec<u8>> {
        let weight = self.get(&format!("{stem}.weight"))?;
        let bias = self.get(&format!("{stem}.bias"))?;
        Ok(weight.iter().chain(&bias).flat_map(|x| x.to_le_bytes()).collect())
    }

    /// γ and β divided by the smoothing factors, then those, in f32.
    fn layer_norm(&self, stem: &str) -> Result<Vec<u8>> {
        let (mut gamma, mut beta) =
            (self.get(&format!("{stem}.weight"))?, self.get(&format!("{stem}.bias"))?);
        let smoothing = self.smoothing.of(stem).map_or_else(|| vec![1.0; self.hidden], <[f32]>::to_vec);
        for values in [&mut gamma, &mut beta] {
            values.iter_mut().zip(&smoothing).for_each(|(value, s)| *value /= s);
        }
        Ok(gamma.iter().chain(&beta).chain(&smoothing).flat_map(|x| x.to_le_bytes()).collect())
    }

    /// A tensor in half precision.
    fn halves(&self, name: &str) -> Result<Vec<u8>> {
        halves(&self.get(name)?).with_context(|| self.place(name))
    }

    /// File and tensor, for a message.
    fn place(&self, name: &str) -> String {
        format!("{}: {name}", self.reader.path().display())
    }

    fn word_embeddings(&self, name: &str) -> Result<Vec<u8>> {
        if self.options.embeddings == WordDtype::F16 {
            return self.halves(name);
        }
        let (quantized, scales) = quantize_weights(&self.get(name)?, self.hidden);
        let mut bytes: Vec<u8> = scales.iter().flat_map(|s| s.to_le_bytes()).collect();
        bytes.resize(bytes.len().next_multiple_of(blockspan_engine::format::ALIGN), 0);
        bytes.extend(quantized.iter().map(|q| q.cast_unsigned()));
        Ok(bytes)
    }

    fn matrix(&self, name: &str, matrices: &mut Vec<MatrixReport>) -> Result<Vec<u8>> {
        let weight = format!("{name}.weight");
        let &[rows, cols] = self.shape(&weight)? else { bail!("{weight} is no matrix") };
        let mut weights = self.get(&weight)?;
        if let Some(smoothing) = self.smoothing.before(&weight) {
            for row in weights.chunks_exact_mut(cols) {
                row.iter_mut().zip(smoothing).for_each(|(w, s)| *w *= s);
            }
            ensure!(
                weights.iter().all(|w| w.is_finite()),
                "{}: smoothing makes a weight exceed the range of f32; pack with --no-smoothing",
                self.place(&weight)
            );
        }
        let bias = self.get(&format!("{name}.bias"))?;
        let (quantized, scales) = quantize_weights(&weights, cols);
        let bytes = match self.pattern {
            Pattern::OutputBlock => matrix::pack_output_block(&quantized, cols, &scales, &bias),
            Pattern::InputBlock => {
                matrix::pack_input_block(&quantized, cols, PANEL_COLS.min(cols), &scales, &bias)
            }
        }
        .map_err(|error| anyhow!("{}: {error}", self.place(&weight)))?;
        let share = |zeros: usize| zeros as f64 / weights.len() as f64;
        matrices.push(MatrixReport {
            name: weight,
            shape: (rows, cols),
            sparsity: share(weights.iter().filter(|&&w| w == 0.0).count()),
            density: 1.0 - share(BLOCK * self.pattern.zero_blocks(&quantized, cols)),
        });
        Ok(bytes)
    }
}
