//! How long a packed file takes to open, mapped and as a private copy, and to parse, checked in full and trusted; each
//! time anew, with the file in the page cache.
//!
//! ```sh
//! cargo run --release -p blockspan-engine --example parse -- model.bspan
//! ```

use core::error::Error;
use std::time::Instant;

use blockspan_engine::{AlignedBytes, MappedFile, Model, Trusted};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("name a packed model")?;
    let mut times = [("mapped", vec![]), ("copied", vec![]), ("in full", vec![]), ("trusted", vec![])];
    for _ in 0..11 {
        let mut timed = [0.0; 4];
        let started = Instant::now();
        // SAFETY: whoever measures leaves the file alone meanwhile.
        let file = unsafe { MappedFile::open(&path)? };
        timed[0] = started.elapsed().as_secs_f64();
        let started = Instant::now();
        // SAFETY: the model is dropped here, so no kernel computes with it; of the file, as above.
        Model::parse_trusted(unsafe { Trusted::new(file.bytes()) })?;
        timed[3] = started.elapsed().as_secs_f64();
        // SAFETY: as above.
        let file = unsafe { MappedFile::open(&path)? };
        let started = Instant::now();
        Model::parse(file.bytes())?;
        timed[2] = started.elapsed().as_secs_f64();
        let started = Instant::now();
        AlignedBytes::read_file(&path)?;
        timed[1] = started.elapsed().as_secs_f64();
        times.iter_mut().zip(timed).for_each(|((_, times), seconds)| times.push(1e3 * seconds));
    }
    for (name, mut times) in times {
        times.sort_by(f64::total_cmp);
        println!("{name}: {:.3} ms (median), {:.3} ms (least)", times[times.len() / 2], times[0]);
    }
    Ok(())
}
