//! What `blockspan --version` prints.

use core::fmt::Write;

use blockspan_engine::format::VERSION;
use blockspan_engine::{Isa, available, best};

use crate::card;
use crate::model_source::ModelSource;

/// The features of the build, and whether it has them.
const FEATURES: [(&str, bool); 5] = [
    ("default-model", cfg!(default_model)),
    ("serve", cfg!(feature = "serve")),
    ("page", cfg!(feature = "page")),
    ("parquet", cfg!(feature = "parquet")),
    ("pdf", cfg!(feature = "pdf")),
];

/// The version, the default model's card, what it was built with, what this machine has. `-V` prints the first line only.
pub fn long() -> String {
    let mut out = format!("{}\n\ndefault model", env!("CARGO_PKG_VERSION"));
    match ModelSource::open(None).ok().as_ref().map(|source| (source.bytes().len(), source.parse())) {
        Some((bytes, Ok(model))) => {
            put(&mut out, format_args!(": {bytes} bytes"));
            for line in card::lines(&card::entries(model.metadata())) {
                put(&mut out, format_args!("\n  {line}"));
            }
        }
        Some((_, Err(error))) => put(&mut out, format_args!(": {error}")),
        None => out.push_str(": none in this build; name one with --model FILE"),
    }
    let built = FEATURES.iter().filter(|(_, built)| *built).map(|(name, _)| *name);
    put(&mut out, format_args!("\n\nfeatures: {}", built.collect::<Vec<_>>().join(" ")));
    let names: Vec<&str> = available().map(Isa::name).collect();
    put(&mut out, format_args!("\npacked files: format version {VERSION}"));
    put(&mut out, format_args!("\ninstruction sets here: {}; used: {}", names.join(" "), best().isa()));
    out
}

fn put(out: &mut String, text: core::fmt::Arguments<'_>) {
    // A String takes everything.
    let _ = out.write_fmt(text);
}
