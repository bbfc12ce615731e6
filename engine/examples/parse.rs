//! How long a packed file takes to parse, checked in full and trusted, each time in a new mapping.
//!
//! ```sh
//! cargo run --release -p blockspan-engine --example parse -- model.bspan
//! ```

use core::error::Error;
use std::time::Instant;

use blockspan_engine::{MappedFile, Model, Trusted};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("name a packed model")?;
    let (mut full, mut trusted) = (Vec::new(), Vec::new());
    for _ in 0..11 {
        // SAFETY: whoever measures leaves the file alone meanwhile.
        let file = unsafe { MappedFile::open(&path)? };
        let started = Instant::now();
        // SAFETY: the model is dropped here, so no kernel computes with it; of the file, as above.
        Model::parse_trusted(unsafe { Trusted::new(file.bytes()) })?;
        trusted.push(1e3 * started.elapsed().as_secs_f64());
        // SAFETY: as above.
        let file = unsafe { MappedFile::open(&path)? };
        let started = Instant::now();
        Model::parse(file.bytes())?;
        full.push(1e3 * started.elapsed().as_secs_f64());
    }
    for (name, mut times) in [("in full", full), ("trusted", trusted)] {
        times.sort_by(f64::total_cmp);
        println!("{name}: {:.3} ms (median), {:.3} ms (least)", times[times.len() / 2], times[0]);
    }
    Ok(())
}
