//! Why bytes are no index, in one line.

use core::fmt;

use crate::format::VERSION;

/// A part of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Section {
    /// A record for each document.
    Documents = 1,
    /// The documents' names.
    Names = 2,
    /// Where the lines or pages of a file are in its text.
    Lines = 3,
    /// A record for each passage.
    Passages = 4,
    /// The documents' texts.
    Text = 5,
    /// A record for each term.
    Terms = 6,
    /// The terms themselves.
    TermTexts = 7,
    /// In which passages each term is.
    Postings = 8,
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Documents => "documents",
            Self::Names => "names",
            Self::Lines => "lines",
            Self::Passages => "passages",
            Self::Text => "text",
            Self::Terms => "terms",
            Self::TermTexts => "term_texts",
            Self::Postings => "postings",
        })
    }
}

/// Why bytes are not an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IndexError {
    /// The bytes do not start with the magic number.
    NotAnIndex,
    /// The file is of another version of the format.
    Version(u32),
    /// The file is shorter or longer than it says.
    Length {
        /// Length that the header states, or that of the header and the table.
        expected: u64,
        /// Length of the bytes.
        found: u64,
    },
    /// A field of the header, or the section table, makes no sense.
    Header(&'static str),
    /// A section's bytes differ from what was written.
    Checksum(Section),
    /// A section is not what it should be.
    Section {
        /// Which.
        section: Section,
        /// The record or, of texts, the byte; from 0.
        at: u64,
        /// What is wrong there.
        reason: &'static str,
    },
}

impl fmt::Display for IndexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnIndex => {
                f.write_str("not an index (wrong magic number); make one with `blockspan index`")
            }
            Self::Version(version) => write!(
                f,
                "format version {version}, but this program reads version {VERSION}; make the index again with \
                 `blockspan index`"
            ),
            Self::Length { expected, found } if found < expected => {
                write!(f, "{found} bytes where {expected} are needed: the file is incomplete, copy it again")
            }
            Self::Length { expected, found } => write!(
                f,
                "{found} bytes where the header says {expected}: something was appended, copy it again"
            ),
            Self::Header(reason) => write!(f, "damaged header: {reason}; copy the file again"),
            Self::Checksum(section) => {
                write!(f, "damaged section {section}: its checksum differs, copy the file again")
            }
            Self::Section { section, at, reason } => {
                write!(
                    f,
                    "invalid section {section}, at {at}: {reason}; make the index again with `blockspan index`"
                )
            }
        }
    }
}

impl core::error::Error for IndexError {}
