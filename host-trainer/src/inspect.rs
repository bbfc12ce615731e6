//! The zeros of a checkpoint, matrix by matrix.

use std::path::Path;

use anyhow::Result;

use crate::checkpoint::Reader;
use crate::config::{Config, Matrix};
use crate::prune::pattern::{Census, Pattern, detect};

/// The encoder's matrices, in the order of the layers.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspection {
    /// Each matrix with its zeros.
    pub matrices: Vec<(Matrix, Census)>,
}

impl Inspection {
    /// Reads the model directory `directory`, one matrix at a time.
    ///
    /// # Errors
    /// A configuration or a matrix that cannot be read; the message names file and matrix.
    pub fn of_directory(directory: &Path) -> Result<Self> {
        Self::new(&Config::read(directory)?, &Reader::open(directory)?)
    }

    /// Reads the matrices of a network.
    ///
    /// # Errors
    /// As for [`Reader::read`].
    pub fn new(config: &Config, reader: &Reader) -> Result<Self> {
        let census = |matrix: Matrix| {
            let weights = reader.read(&matrix.name, &[matrix.outputs, matrix.inputs])?;
            let census = Census::new(&weights, matrix.inputs);
            Ok((matrix, census))
        };
        Ok(Inspection { matrices: config.prunable().into_iter().map(census).collect::<Result<_>>()? })
    }

    /// The pattern that all matrices follow; see [`detect`].
    ///
    /// # Errors
    /// As for [`detect`].
    pub fn pattern(&self) -> Result<Option<Pattern>> {
        detect(self.matrices.iter().map(|(matrix, census)| (matrix.name.as_str(), *census)))
    }

    /// All matrices as one.
    pub fn total(&self) -> Census {
        self.matrices.iter().map(|(_, census)| *census).sum()
    }
}
