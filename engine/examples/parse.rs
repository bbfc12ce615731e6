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
        let file = MappedFile::open(path.as_ref())?;
        let started = Instant::now();
        // Timed only: no kernel runs on what it gives, whatever the file holds.
        // SAFETY: as just said, nothing is used that the promise is about.
        Model::parse_trusted(file.bytes(), unsafe { Trusted::new() })?;
        trusted.push(1e3 * started.elapsed().as_secs_f64());
        let file = MappedFile::open(path.as_ref())?;
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
