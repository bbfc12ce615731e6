//! What a file holds, by its name.

use std::path::Path;

use anyhow::Result;
#[cfg(not(all(feature = "html", feature = "pdf")))]
use anyhow::bail;

use super::document::Document;
#[cfg(feature = "html")]
use super::html;
#[cfg(feature = "pdf")]
use super::pdf;
use crate::encoding::utf8;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Markdown,
    Html,
    Pdf,
}

/// What the name of a file ends with if it holds text.
const EXTENSIONS: [(&str, Kind); 8] = [
    ("txt", Kind::Text),
    ("text", Kind::Text),
    ("md", Kind::Markdown),
    ("markdown", Kind::Markdown),
    ("htm", Kind::Html),
    ("html", Kind::Html),
    ("xhtml", Kind::Html),
    ("pdf", Kind::Pdf),
];

impl Kind {
    /// By the file's name.
    pub fn of(path: &Path) -> Option<Self> {
        let extension = path.extension()?;
        let found = EXTENSIONS.iter().find(|(name, _)| extension.eq_ignore_ascii_case(name));
        found.map(|(_, kind)| *kind)
    }

    /// How the names of files end that this program reads, for messages.
    pub fn list() -> String {
        let built_in = EXTENSIONS.iter().filter(|(_, kind)| kind.is_built_in());
        built_in.map(|(name, _)| format!(".{name}")).collect::<Vec<_>>().join(", ")
    }

    /// Whether this program reads it.
    pub fn is_built_in(self) -> bool {
        match self {
            Self::Text | Self::Markdown => true,
            Self::Html => cfg!(feature = "html"),
            Self::Pdf => cfg!(feature = "pdf"),
        }
    }

    /// The text of a file's bytes.
    pub fn read(self, bytes: Vec<u8>) -> Result<Document> {
        match self {
            Self::Text => Ok(Document::plain(utf8(bytes)?)),
            Self::Markdown => {
                let document = Document::plain(utf8(bytes)?);
                let title = document.text.lines().find_map(|line| line.strip_prefix("# "));
                let title = title.unwrap_or_default().trim().to_owned();
                Ok(Document { title, ..document })
            }
            #[cfg(feature = "html")]
            Self::Html => Ok(html::text(&utf8(bytes)?)),
            #[cfg(not(feature = "html"))]
            Self::Html => bail!("this program reads no HTML; build it with --features html, or give text"),
            #[cfg(feature = "pdf")]
            Self::Pdf => pdf::text(&bytes),
            #[cfg(not(feature = "pdf"))]
            Self::Pdf => bail!(
                "this program was built without the feature pdf; build it with --features pdf, or make text of the PDF, for \
                 example with pdftotext"
            ),
        }
    }
}
