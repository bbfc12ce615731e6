//! The section table: which sections there are, in which order, and where they lie.

use core::fmt;

/// Every section starts at a multiple of this.
pub const ALIGN: usize = 64;

/// Bytes of an entry of the table.
pub const ENTRY_LEN: usize = 32;

/// What a section holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// UTF-8 text, lines of `key: value`.
    Metadata = 1,
    /// Token texts: [`crate::tokenizer::Vocabulary`].
    Vocabulary = 2,
    /// From text to token: [`crate::tokenizer::WordPieceIndex`].
    WordPieceIndex = 3,
    /// Unicode tables: [`crate::tokenizer::Normalizer`].
    Normalizer = 4,
    /// `f32[vocab]` scales, then `i8[vocab][hidden]`; or `f16[vocab][hidden]`.
    WordEmbeddings = 16,
    /// `f16[max_positions][hidden]`.
    PositionEmbeddings = 17,
    /// `f16[token_types][hidden]`.
    TokenTypeEmbeddings = 18,
    /// `f32[hidden]` γ, `f32[hidden]` β, `f32[hidden]` smoothing.
    EmbeddingsLayerNorm = 19,
    /// Packed matrix, hidden × hidden.
    Query = 32,
    /// Packed matrix, hidden × hidden.
    Key = 33,
    /// Packed matrix, hidden × hidden.
    Value = 34,
    /// Packed matrix, hidden × hidden.
    AttentionOutput = 35,
    /// `f32[hidden]` γ, `f32[hidden]` β, `f32[hidden]` smoothing.
    AttentionLayerNorm = 36,
    /// Packed matrix, intermediate × hidden.
    Intermediate = 37,
    /// Packed matrix, hidden × intermediate.
    Output = 38,
    /// `f32[hidden]` γ, `f32[hidden]` β, `f32[hidden]` smoothing.
    OutputLayerNorm = 39,
    /// `f32[2][hidden]` weights (start, end), `f32[2]` biases.
    QaOutputs = 48,
}

/// The sections of the model as a whole that come before the layers.
const FIRST: [Kind; 8] = [
    Kind::Metadata,
    Kind::Vocabulary,
    Kind::WordPieceIndex,
    Kind::Normalizer,
    Kind::WordEmbeddings,
    Kind::PositionEmbeddings,
    Kind::TokenTypeEmbeddings,
    Kind::EmbeddingsLayerNorm,
];

/// The sections of a layer.
const PER_LAYER: [Kind; 8] = [
    Kind::Query,
    Kind::Key,
    Kind::Value,
    Kind::AttentionOutput,
    Kind::AttentionLayerNorm,
    Kind::Intermediate,
    Kind::Output,
    Kind::OutputLayerNorm,
];

/// A section's kind and, for an encoder section, its layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SectionId {
    /// What it holds.
    pub kind: Kind,
    /// The layer, from 0; `None` outside the encoder's layers.
    pub layer: Option<u32>,
}

impl fmt::Display for SectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.kind {
            Kind::Metadata => "metadata",
            Kind::Vocabulary => "vocabulary",
            Kind::WordPieceIndex => "word_piece_index",
            Kind::Normalizer => "normalizer",
            Kind::WordEmbeddings => "embeddings.word",
            Kind::PositionEmbeddings => "embeddings.position",
            Kind::TokenTypeEmbeddings => "embeddings.token_type",
            Kind::EmbeddingsLayerNorm => "embeddings.layer_norm",
            Kind::Query => "attention.query",
            Kind::Key => "attention.key",
            Kind::Value => "attention.value",
            Kind::AttentionOutput => "attention.output",
            Kind::AttentionLayerNorm => "attention.layer_norm",
            Kind::Intermediate => "intermediate",
            Kind::Output => "output",
            Kind::OutputLayerNorm => "output.layer_norm",
            Kind::QaOutputs => "qa_outputs",
        };
        match self.layer {
            Some(layer) => write!(f, "layer.{layer}.{name}"),
            None => f.write_str(name),
        }
    }
}

/// Number of sections of a model with `layers` layers.
pub(crate) const fn section_count(layers: usize) -> usize {
    FIRST.len() + PER_LAYER.len() * layers + 1
}

/// All sections of a model with `layers` layers, in the order of the table and of the file.
pub fn section_ids(layers: usize) -> impl Iterator<Item = SectionId> {
    let whole = |kind| SectionId { kind, layer: None };
    let encoder = (0..layers as u32)
        .flat_map(|layer| PER_LAYER.into_iter().map(move |kind| SectionId { kind, layer: Some(layer) }));
    FIRST.into_iter().map(whole).chain(encoder).chain([whole(Kind::QaOutputs)])
}

/// One entry of the section table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which section.
    pub id: SectionId,
    /// First byte in the file, a multiple of [`ALIGN`].
    pub offset: u64,
    /// Bytes, without the zeros that fill up to the next section.
    pub length: u64,
    /// XXH64 of those bytes.
    pub checksum: u64,
}

impl Entry {
    /// The entry's bytes: `u32` kind, `u32` layer (`0xffff_ffff` for none), `u64` offset, length, checksum.
    pub fn to_bytes(&self) -> [u8; ENTRY_LEN] {
        let mut bytes = [0; ENTRY_LEN];
        let fields = (self.id.kind as u32)
            .to_le_bytes()
            .into_iter()
            .chain(self.id.layer.unwrap_or(u32::MAX).to_le_bytes());
        let longs = [self.offset, self.length, self.checksum].into_iter().flat_map(u64::to_le_bytes);
        bytes.iter_mut().zip(fields.chain(longs)).for_each(|(slot, byte)| *slot = byte);
        bytes
    }

    /// Reads the entry of section `id`; `None` if the bytes are another section's, or too few.
    pub(crate) fn read(id: SectionId, bytes: &[u8]) -> Option<Self> {
        let long = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        let entry = Entry { id, offset: long(8)?, length: long(16)?, checksum: long(24)? };
        (bytes.get(..8) == entry.to_bytes().get(..8)).then_some(entry)
    }
}
