//! A packed file, checked and used in place.

use core::ops::Range;

use blockspan_kernels::matrix::PackedMatrix;
use blockspan_kernels::{Embeddings, Table, Trusted};

use crate::error::ParseError;
use crate::format::{
    ALIGN, Config, ENTRY_LEN, Entry, HEADER_LEN, Header, Kind, SectionId, WordDtype, section_ids,
};
use crate::tokenizer::{Normalizer, Tokenizer, Vocabulary, WordPieceIndex};
use crate::workspace::WorkspaceSpec;
use crate::xxh64;

/// The most encoder layers of a model.
pub const MAX_LAYERS: usize = 32;

/// A model, borrowed from its bytes. Nothing is copied and nothing allocated.
#[derive(Clone, Copy)]
pub struct Model<'a> {
    bytes: &'a [u8],
    config: Config,
    metadata: &'a str,
    tokenizer: Tokenizer<'a>,
    embeddings: Embeddings<'a>,
    embeddings_layer_norm: LayerNorm<'a>,
    layers: [Option<Layer<'a>>; MAX_LAYERS],
    qa_weights: &'a [f32],
    qa_bias: &'a [f32],
}

/// γ and β, both divided by the smoothing factors, so that its result is. What multiplies the result is packed to make
/// up for it, and the residual connection multiplies it by the factors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LayerNorm<'a> {
    pub gamma: &'a [f32],
    pub beta: &'a [f32],
    pub smoothing: &'a [f32],
}

/// The weights of an encoder layer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layer<'a> {
    pub query: PackedMatrix<'a>,
    pub key: PackedMatrix<'a>,
    pub value: PackedMatrix<'a>,
    pub attention_output: PackedMatrix<'a>,
    pub attention_layer_norm: LayerNorm<'a>,
    pub intermediate: PackedMatrix<'a>,
    pub output: PackedMatrix<'a>,
    pub output_layer_norm: LayerNorm<'a>,
}

impl<'a> Model<'a> {
    /// Checks everything that is relied on later: checksums, shapes, bounds, every index, every number finite.
    /// After that no safe call panics or reads outside `bytes`, whatever they hold.
    ///
    /// `bytes` is a whole `*.bspan` file, starting at a multiple of 64 bytes in memory (a mapped file and
    /// `AlignedBytes` do; for `include_bytes!` wrap it in a type with `#[repr(align(64))]`).
    ///
    /// # Errors
    /// [`ParseError`] names the section and the reason.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        Self::read(bytes, None)
    }

    /// As [`parse`](Self::parse), without reading the weights: checks the header, the table, the shapes, the lengths
    /// and the tokenizer, not the checksums, the columns' indices and the numbers. It takes the same short time for a
    /// file of any size. For bytes that nobody can have changed since they were checked, such as flash.
    ///
    /// The engine has no unsafe code; the promise about the bytes is made where [`Trusted`] is made.
    ///
    /// # Errors
    /// As `parse`, for what is checked.
    pub fn parse_trusted(trusted: Trusted<'a>) -> Result<Self, ParseError> {
        Self::read(trusted.bytes(), Some(&trusted))
    }

    /// `trusted`, if there is one, holds `bytes`.
    fn read(bytes: &'a [u8], trusted: Option<&Trusted<'a>>) -> Result<Self, ParseError> {
        let config = Header::read(bytes)?.config;
        if !bytes.as_ptr().addr().is_multiple_of(ALIGN) {
            return Err(ParseError::Unaligned);
        }
        let mut sections = Sections::new(bytes, &config, trusted)?;
        let metadata = sections.text(Kind::Metadata)?;
        let tokenizer = sections.tokenizer(&config)?;
        let embeddings = sections.embeddings(&config)?;
        let embeddings_layer_norm = sections.layer_norm(Kind::EmbeddingsLayerNorm, None, config.hidden)?;
        let mut layers = [None; MAX_LAYERS];
        for (index, slot) in (0..config.layers as u32).zip(&mut layers) {
            *slot = Some(sections.layer(index, &config)?);
        }
        let (qa_weights, qa_bias) = sections.qa_outputs(config.hidden)?;
        Ok(Self {
            bytes,
            config,
            metadata,
            tokenizer,
            embeddings,
            embeddings_layer_norm,
            layers,
            qa_weights,
            qa_bias,
        })
    }

    /// Shape and constants.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What the trainer wrote about the model: lines of `key: value`.
    pub fn metadata(&self) -> &'a str {
        self.metadata
    }

    /// The tokenizer in the file.
    pub fn tokenizer(&self) -> &Tokenizer<'a> {
        &self.tokenizer
    }

    /// The section table.
    pub fn sections(&self) -> impl Iterator<Item = Entry> + use<'a> {
        table(self.bytes, self.config.layers)
    }

    /// The packed matrix of an encoder section, for inspection; `None` for any other section.
    pub fn matrix(&self, id: SectionId) -> Option<blockspan_kernels::matrix::Matrix<'a>> {
        let layer = self.layer(id.layer? as usize)?;
        match id.kind {
            Kind::Query => layer.query,
            Kind::Key => layer.key,
            Kind::Value => layer.value,
            Kind::AttentionOutput => layer.attention_output,
            Kind::Intermediate => layer.intermediate,
            Kind::Output => layer.output,
            _ => return None,
        }
        .view()
    }

    /// Bytes of workspace for windows of up to `max_seq_len` tokens (question, passage and three special tokens) on
    /// so many threads: what [`crate::Session::with`] asks for. It is the length of the [`WorkspaceSpec`] of this
    /// model.
    pub const fn workspace_len(&self, max_seq_len: usize, threads: usize) -> usize {
        let Config { hidden, intermediate, heads, .. } = self.config;
        WorkspaceSpec { hidden, intermediate, heads, max_seq_len, threads }.bytes()
    }

    pub(crate) fn embeddings(&self) -> &Embeddings<'a> {
        &self.embeddings
    }

    pub(crate) fn embeddings_layer_norm(&self) -> &LayerNorm<'a> {
        &self.embeddings_layer_norm
    }

    pub(crate) fn layer(&self, index: usize) -> Option<&Layer<'a>> {
        self.layers.get(index)?.as_ref()
    }

    pub(crate) fn qa_outputs(&self) -> (&'a [f32], &'a [f32]) {
        (self.qa_weights, self.qa_bias)
    }
}

impl core::fmt::Debug for Model<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Model").field("config", &self.config).finish_non_exhaustive()
    }
}

fn table(bytes: &[u8], layers: usize) -> impl Iterator<Item = Entry> + use<'_> {
    let entries = bytes.get(HEADER_LEN..).unwrap_or(&[]).chunks_exact(ENTRY_LEN);
    section_ids(layers).zip(entries).map_while(|(id, bytes)| Entry::read(id, bytes))
}

/// Whether the file's bytes from `start` to `end` are all 0.
fn zeros(bytes: &[u8], start: u64, end: u64) -> bool {
    let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
    let padding = range.and_then(|(start, end)| bytes.get(start..end));
    padding.is_some_and(|padding| padding.iter().all(|&byte| byte == 0))
}

/// Hands out the sections in the order of the table, each checked against its checksum unless it is trusted.
struct Sections<'a, 't, I> {
    bytes: &'a [u8],
    entries: I,
    trusted: Option<&'t Trusted<'a>>,
}

impl<'a, 't> Sections<'a, 't, ()> {
    /// Checks the table: the right sections, one after the other and filling the file, zeros between them.
    fn new(
        bytes: &'a [u8],
        config: &Config,
        trusted: Option<&'t Trusted<'a>>,
    ) -> Result<Sections<'a, 't, impl Iterator<Item = Entry> + use<'a>>, ParseError> {
        let expected = section_ids(config.layers).count();
        if table(bytes, config.layers).count() != expected {
            return Err(ParseError::Header("the section table does not list the sections of this shape"));
        }
        let mut end = (HEADER_LEN + ENTRY_LEN * expected) as u64;
        let mut last = None;
        for entry in table(bytes, config.layers) {
            let fits = entry.offset.checked_add(entry.length).filter(|&end| end <= bytes.len() as u64);
            let (true, Some(after)) = (entry.offset == end.next_multiple_of(ALIGN as u64), fits) else {
                let reason = "lies outside the file or not behind the section before it";
                return Err(ParseError::Section(entry.id, reason));
            };
            if !zeros(bytes, end, entry.offset) {
                return Err(ParseError::Section(entry.id, "lies behind padding that is not 0"));
            }
            (end, last) = (after, Some(entry.id));
        }
        let file_end = end.next_multiple_of(ALIGN as u64);
        if let Some(id) = last
            && (file_end != bytes.len() as u64 || !zeros(bytes, end, file_end))
        {
            return Err(ParseError::Section(
                id,
                "is not followed by zeros up to the file's end, a multiple of 64",
            ));
        }
        Ok(Sections { bytes, entries: table(bytes, config.layers), trusted })
    }
}

impl<'a, I: Iterator<Item = Entry>> Sections<'a, '_, I> {
    /// The next section, which must be of this kind, and where it lies in the file.
    fn find(
        &mut self,
        kind: Kind,
        layer: Option<u32>,
    ) -> Result<(SectionId, Range<usize>, &'a [u8]), ParseError> {
        let id = SectionId { kind, layer };
        let entry = self.entries.next().filter(|entry| entry.id == id);
        let section = entry.and_then(|entry| {
            let start = usize::try_from(entry.offset).ok()?;
            let range = start..start.checked_add(usize::try_from(entry.length).ok()?)?;
            Some((entry.checksum, range.clone(), self.bytes.get(range)?))
        });
        let (checksum, range, section) = section.ok_or(ParseError::Section(id, "lies outside the file"))?;
        if self.trusted.is_none() && xxh64(section) != checksum {
            return Err(ParseError::Checksum(id));
        }
        Ok((id, range, section))
    }

    /// [`Sections::find`], without the place.
    fn take(&mut self, kind: Kind, layer: Option<u32>) -> Result<(SectionId, &'a [u8]), ParseError> {
        self.find(kind, layer).map(|(id, _, section)| (id, section))
    }

    fn text(&mut self, kind: Kind) -> Result<&'a str, ParseError> {
        let (id, bytes) = self.take(kind, None)?;
        core::str::from_utf8(bytes).map_err(|_| ParseError::Section(id, "is not UTF-8"))
    }

    fn tokenizer(&mut self, config: &Config) -> Result<Tokenizer<'a>, ParseError> {
        let (id, bytes) = self.take(Kind::Vocabulary, None)?;
        let vocabulary = Vocabulary::parse(bytes).map_err(|reason| ParseError::Section(id, reason))?;
        if vocabulary.len() > config.vocab {
            return Err(ParseError::Section(id, "holds more tokens than there are word embeddings"));
        }
        let (id, bytes) = self.take(Kind::WordPieceIndex, None)?;
        let index = WordPieceIndex::parse(bytes).map_err(|reason| ParseError::Section(id, reason))?;
        let (id, bytes) = self.take(Kind::Normalizer, None)?;
        let normalizer = Normalizer::parse(bytes).map_err(|reason| ParseError::Section(id, reason))?;
        Tokenizer::new(vocabulary, index, normalizer, config.special)
            .map_err(|reason| ParseError::Section(id, reason))
    }

    fn embeddings(&mut self, config: &Config) -> Result<Embeddings<'a>, ParseError> {
        let (id, bytes) = self.take(Kind::WordEmbeddings, None)?;
        let word = match config.word_dtype {
            WordDtype::F16 => Table::F16(self.halves(id, bytes, config.vocab, config.hidden)?),
            WordDtype::I8 => {
                let length = ParseError::Section(id, "has a length that does not fit the shape");
                let (scales, values) =
                    bytes.split_at_checked((4 * config.vocab).next_multiple_of(ALIGN)).ok_or(length)?;
                let (scales, padding) = scales.split_at_checked(4 * config.vocab).ok_or(length)?;
                let scales = self.floats(id, scales, config.vocab)?;
                if padding.iter().any(|&byte| byte != 0) {
                    return Err(ParseError::Section(id, "holds padding that is not 0"));
                }
                if Some(values.len()) != config.vocab.checked_mul(config.hidden) {
                    return Err(length);
                }
                Table::I8 { values: bytemuck::cast_slice(values), scales }
            }
        };
        let (id, bytes) = self.take(Kind::PositionEmbeddings, None)?;
        let position = Table::F16(self.halves(id, bytes, config.max_positions, config.hidden)?);
        let (id, bytes) = self.take(Kind::TokenTypeEmbeddings, None)?;
        let token_type = Table::F16(self.halves(id, bytes, config.token_types, config.hidden)?);
        Ok(Embeddings { word, token_type, position })
    }

    fn layer_norm(
        &mut self,
        kind: Kind,
        layer: Option<u32>,
        hidden: usize,
    ) -> Result<LayerNorm<'a>, ParseError> {
        let (id, bytes) = self.take(kind, layer)?;
        let all = self.floats(id, bytes, 3 * hidden)?;
        let parts = all.split_at_checked(hidden).zip(all.split_at_checked(2 * hidden));
        let ((gamma, rest), (_, smoothing)) =
            parts.ok_or(ParseError::Section(id, "has a length that does not fit the shape"))?;
        let beta = rest.get(..hidden).unwrap_or(rest);
        if self.trusted.is_none() && !smoothing.iter().all(|&s| s > 0.0) {
            return Err(ParseError::Section(id, "holds a smoothing factor that is not positive"));
        }
        Ok(LayerNorm { gamma, beta, smoothing })
    }

    fn layer(&mut self, layer: u32, config: &Config) -> Result<Layer<'a>, ParseError> {
        let (hidden, intermediate, layer) = (config.hidden, config.intermediate, Some(layer));
        Ok(Layer {
            query: self.matrix(Kind::Query, layer, hidden, hidden, config)?,
            key: self.matrix(Kind::Key, layer, hidden, hidden, config)?,
            value: self.matrix(Kind::Value, layer, hidden, hidden, config)?,
            attention_output: self.matrix(Kind::AttentionOutput, layer, hidden, hidden, config)?,
            attention_layer_norm: self.layer_norm(Kind::AttentionLayerNorm, layer, hidden)?,
            intermediate: self.matrix(Kind::Intermediate, layer, intermediate, hidden, config)?,
            output: self.matrix(Kind::Output, layer, hidden, intermediate, config)?,
            output_layer_norm: self.layer_norm(Kind::OutputLayerNorm, layer, hidden)?,
        })
    }

    fn matrix(
        &mut self,
        kind: Kind,
        layer: Option<u32>,
        rows: usize,
        cols: usize,
        config: &Config,
    ) -> Result<PackedMatrix<'a>, ParseError> {
        let (id, range, bytes) = self.find(kind, layer)?;
        let packed = match self.trusted {
            None => PackedMatrix::validate(bytes),
            Some(trusted) => PackedMatrix::trust(trusted, range),
        };
        let packed = packed.map_err(|error| ParseError::Section(id, error.0))?;
        match packed.view() {
            Some(matrix) if matrix.rows() != rows || matrix.cols() != cols => {
                Err(ParseError::Section(id, "its shape is not that of the header"))
            }
            Some(matrix) if matrix.pattern() != config.pattern => {
                Err(ParseError::Section(id, "its block pattern is not that of the header"))
            }
            Some(_) => Ok(packed),
            None => Err(ParseError::Section(id, "is not a packed matrix")),
        }
    }

    fn qa_outputs(&mut self, hidden: usize) -> Result<(&'a [f32], &'a [f32]), ParseError> {
        let (id, bytes) = self.take(Kind::QaOutputs, None)?;
        let all = self.floats(id, bytes, 2 * hidden + 2)?;
        Ok(all.split_at_checked(2 * hidden).unwrap_or((all, &[])))
    }

    /// A section of `count` floats, finite unless they are trusted.
    fn floats(&self, id: SectionId, bytes: &'a [u8], count: usize) -> Result<&'a [f32], ParseError> {
        let floats: &[f32] = bytemuck::try_cast_slice(bytes)
            .ok()
            .filter(|floats: &&[f32]| floats.len() == count)
            .ok_or(ParseError::Section(id, "has a length that does not fit the shape"))?;
        if self.trusted.is_none() && !floats.iter().all(|x| x.is_finite()) {
            return Err(ParseError::Section(id, "holds a number that is not finite"));
        }
        Ok(floats)
    }

    /// A section of `rows × hidden` half-precision numbers, finite unless they are trusted.
    fn halves(
        &self,
        id: SectionId,
        bytes: &'a [u8],
        rows: usize,
        hidden: usize,
    ) -> Result<&'a [u16], ParseError> {
        let halves: &[u16] = bytemuck::try_cast_slice(bytes)
            .ok()
            .filter(|halves: &&[u16]| Some(halves.len()) == rows.checked_mul(hidden))
            .ok_or(ParseError::Section(id, "has a length that does not fit the shape"))?;
        // An exponent of all ones is infinity or not a number.
        if self.trusted.is_none() && halves.iter().fold(false, |bad, &h| bad | (h & 0x7c00 == 0x7c00)) {
            return Err(ParseError::Section(id, "holds a number that is not finite"));
        }
        Ok(halves)
    }
}
