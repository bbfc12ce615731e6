//! How passages are cut, for every command that reads them.

use blockspan_trainer::features::WindowOptions;
use clap::Args;

#[derive(Args)]
pub struct WindowArgs {
    /// The longest window, in tokens.
    #[arg(long, default_value_t = 384)]
    pub max_seq_len: usize,
    /// How many passage tokens neighbouring windows share.
    #[arg(long, default_value_t = 128)]
    pub doc_stride: usize,
}

impl WindowArgs {
    /// As the library takes it.
    pub fn options(&self) -> WindowOptions {
        WindowOptions { max_seq_len: self.max_seq_len, doc_stride: self.doc_stride }
    }
}
