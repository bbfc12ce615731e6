//! How passages are cut, for every command that reads them.

use std::path::Path;

use anyhow::{Context, Result};
use blockspan_trainer::card::Card;
use blockspan_trainer::config::Config;
use blockspan_trainer::features::WindowOptions;
use clap::Args;

#[derive(Args)]
pub struct WindowArgs {
    /// The longest window, question included [default: what the model was trained with, else 384]
    #[arg(long, value_name = "TOKENS", alias = "max_seq_length")]
    pub max_seq_len: Option<usize>,
    /// Passage tokens that neighboring windows share [default: what the model was trained with, else 128; at most a
    /// third of a shorter window]
    #[arg(long, value_name = "TOKENS", alias = "doc_stride")]
    pub doc_stride: Option<usize>,
}

impl WindowArgs {
    /// As the library takes it, for the model in `directory`.
    pub fn options(&self, directory: &Path) -> Result<WindowOptions> {
        let own = Card::of_directory(directory)?.windows().unwrap_or_default();
        let config = Config::read(directory)?;
        let windows =
            WindowOptions::or_own(self.max_seq_len, self.doc_stride, own, config.max_position_embeddings);
        windows.check(&config).with_context(|| directory.display().to_string())?;
        windows.check_room()?;
        Ok(windows)
    }
}
