//! The fixed header.

use blockspan_kernels::matrix::Pattern;

use super::section::{ENTRY_LEN, section_count};
use crate::error::ParseError;
use crate::model::MAX_LAYERS;
use crate::tokenizer::SpecialIds;
use crate::xxh64;

/// The first 8 bytes of a file; as in PNG, damage by text-mode transfer shows.
pub const MAGIC: [u8; 8] = *b"\x89BSPAN\r\n";

/// The version of the format that this crate reads and describes.
pub const VERSION: u32 = 3;

/// Bytes of the header; the section table follows.
pub const HEADER_LEN: usize = 128;

/// Where the header's checksum stands; it covers the header up to here and the section table.
const CHECKSUM_AT: usize = 120;

/// How word embeddings are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WordDtype {
    /// int8 with one f32 scale per row.
    I8,
    /// IEEE half precision.
    F16,
}

/// Shape and constants of a model: the header's fields.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Config {
    /// The block pattern of all encoder matrices.
    pub pattern: Pattern,
    /// Width of the hidden states.
    pub hidden: usize,
    /// Encoder layers.
    pub layers: usize,
    /// Attention heads.
    pub heads: usize,
    /// Width of the feed-forward layer.
    pub intermediate: usize,
    /// Word pieces.
    pub vocab: usize,
    /// Positions: the longest window.
    pub max_positions: usize,
    /// Segments, at least 2.
    pub token_types: usize,
    /// Default window, tokens.
    pub max_seq_len: usize,
    /// Default overlap of windows, tokens.
    pub doc_stride: usize,
    /// ε of every LayerNorm.
    pub layer_norm_eps: f32,
    /// How word embeddings are stored.
    pub word_dtype: WordDtype,
    /// Ids of the special tokens.
    pub special: SpecialIds,
}

impl Config {
    /// Channels of a head.
    pub fn head_dim(&self) -> usize {
        self.hidden.checked_div(self.heads).unwrap_or(0)
    }

    /// Default overlap of windows of `max_seq_len` tokens: a window shorter than the model was packed for must
    /// still move on by more than it shares.
    pub fn doc_stride_for(&self, max_seq_len: usize) -> usize {
        if max_seq_len < self.max_seq_len { self.doc_stride.min(max_seq_len / 3) } else { self.doc_stride }
    }

    fn check(&self) -> Result<(), &'static str> {
        let multiple_of_4 = |n: usize| n > 0 && n <= 65_536 && n.is_multiple_of(4);
        if !multiple_of_4(self.hidden) || !multiple_of_4(self.intermediate) {
            return Err("hidden and intermediate must be multiples of 4 up to 65536");
        }
        if self.heads == 0 || !self.hidden.is_multiple_of(self.heads) || !self.head_dim().is_multiple_of(4) {
            return Err("the head size must be a multiple of 4 that divides hidden");
        }
        if self.layers == 0 || self.layers > MAX_LAYERS {
            return Err("layers must be 1 to 32");
        }
        if self.vocab == 0 || self.vocab > 1 << 22 || self.token_types < 2 || self.token_types > 256 {
            return Err("vocab must be 1 to 4194304, token_types 2 to 256");
        }
        if self.max_positions < 8 || self.max_positions > 4096 {
            return Err("max_positions must be 8 to 4096");
        }
        if self.max_seq_len < 8 || self.max_seq_len > self.max_positions {
            return Err("max_seq_len must be 8 to max_positions");
        }
        if self.doc_stride >= self.max_seq_len {
            return Err("doc_stride must be below max_seq_len");
        }
        if !(self.layer_norm_eps > 0.0 && self.layer_norm_eps < 1.0) {
            return Err("layer_norm_eps must lie between 0 and 1");
        }
        Ok(())
    }
}

/// The header and the length of what it describes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub config: Config,
}

impl Header {
    /// Reads and checks the header and the section table's checksum.
    pub fn read(bytes: &[u8]) -> Result<Self, ParseError> {
        if bytes.get(..8) != Some(&MAGIC) {
            return Err(ParseError::NotAModel);
        }
        let found = bytes.len() as u64;
        let header =
            bytes.get(..HEADER_LEN).ok_or(ParseError::Length { expected: HEADER_LEN as u64, found })?;
        let word =
            |at: usize| header.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes);
        let long = |at: usize| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
        if word(8) != VERSION {
            return Err(ParseError::Version(word(8)));
        }
        if found != long(16) {
            return Err(ParseError::Length { expected: long(16), found });
        }
        if word(12) != HEADER_LEN as u32 {
            return Err(ParseError::Header("header_len is not 128"));
        }
        let layers = word(36) as usize;
        if layers > MAX_LAYERS || word(24) as usize != section_count(layers) {
            return Err(ParseError::Header("section_count does not fit the number of layers"));
        }
        let table_end = HEADER_LEN + ENTRY_LEN * section_count(layers);
        let table = bytes
            .get(HEADER_LEN..table_end)
            .ok_or(ParseError::Length { expected: table_end as u64, found })?;
        if checksum(header, table) != long(CHECKSUM_AT) {
            return Err(ParseError::Header("its checksum differs, copy the file again"));
        }
        if header.get(96..CHECKSUM_AT).is_some_and(|reserved| reserved.iter().any(|&byte| byte != 0)) {
            return Err(ParseError::Header("reserved bytes are not 0"));
        }
        let config = Config {
            pattern: Pattern::from_code(word(28)).ok_or(ParseError::Header("unknown block pattern"))?,
            hidden: word(32) as usize,
            layers,
            heads: word(40) as usize,
            intermediate: word(44) as usize,
            vocab: word(48) as usize,
            max_positions: word(52) as usize,
            token_types: word(56) as usize,
            max_seq_len: word(60) as usize,
            doc_stride: word(64) as usize,
            layer_norm_eps: f32::from_bits(word(68)),
            word_dtype: match word(72) {
                1 => WordDtype::I8,
                2 => WordDtype::F16,
                _ => return Err(ParseError::Header("unknown type of word embeddings")),
            },
            special: SpecialIds {
                cls: word(76),
                sep: word(80),
                pad: word(84),
                unk: word(88),
                mask: word(92),
            },
        };
        config.check().map_err(ParseError::Header)?;
        Ok(Self { config })
    }
}

impl Config {
    /// The header's bytes, for a file of `file_len` bytes with this section table.
    ///
    /// # Errors
    /// What about the configuration the format does not allow.
    pub fn header(&self, file_len: u64, table: &[u8]) -> Result<[u8; HEADER_LEN], &'static str> {
        self.check()?;
        let mut header = [0u8; HEADER_LEN];
        let mut put = |at: usize, bytes: &[u8]| {
            if let Some(slot) = header.get_mut(at..at + bytes.len()) {
                slot.copy_from_slice(bytes);
            }
        };
        put(0, &MAGIC);
        put(16, &file_len.to_le_bytes());
        let special = self.special;
        let words = [
            (8, VERSION),
            (12, HEADER_LEN as u32),
            (24, section_count(self.layers) as u32),
            (28, self.pattern.code()),
            (32, self.hidden as u32),
            (36, self.layers as u32),
            (40, self.heads as u32),
            (44, self.intermediate as u32),
            (48, self.vocab as u32),
            (52, self.max_positions as u32),
            (56, self.token_types as u32),
            (60, self.max_seq_len as u32),
            (64, self.doc_stride as u32),
            (68, self.layer_norm_eps.to_bits()),
            (72, if self.word_dtype == WordDtype::I8 { 1 } else { 2 }),
            (76, special.cls),
            (80, special.sep),
            (84, special.pad),
            (88, special.unk),
            (92, special.mask),
        ];
        for (at, word) in words {
            put(at, &word.to_le_bytes());
        }
        let sum = checksum(&header, table).to_le_bytes();
        if let Some(slot) = header.get_mut(CHECKSUM_AT..) {
            slot.copy_from_slice(&sum);
        }
        Ok(header)
    }
}

/// XXH64 of the header before its checksum, combined with that of the table.
fn checksum(header: &[u8], table: &[u8]) -> u64 {
    xxh64(header.get(..CHECKSUM_AT).unwrap_or(&[])) ^ xxh64(table).rotate_left(1)
}
