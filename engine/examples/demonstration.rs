//! Prints on the host what `examples/bare` prints on a board, to be compared with it:
//!
//! ```sh
//! cargo run --release -p blockspan-engine --example demonstration -- model.bspan
//! ```
//!
//! Lines that start with `#` are about the machine; all others are the same everywhere.

use core::error::Error;

use blockspan_engine::{AlignedBytes, best};

#[path = "bare/src/demonstration.rs"]
mod demonstration;

/// As on the largest board.
const WORKSPACE_LEN: usize = 2 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("name a packed model")?;
    let file = AlignedBytes::read_file(path)?;
    let (kernels, mut text) = (best(), String::new());
    let result = demonstration::run(&file, &mut vec![0; WORKSPACE_LEN], kernels, &mut text);
    print!("{text}");
    println!("# kernels: {}", kernels.isa());
    Ok(result?)
}
