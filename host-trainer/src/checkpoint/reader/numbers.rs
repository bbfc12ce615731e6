//! The number formats that weights are read from.

use anyhow::{Result, bail};
use half::{bf16, f16};

/// How a number is stored, little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    F64,
    F32,
    F16,
    Bf16,
}

impl Number {
    /// Bytes of a number.
    pub(super) fn size(self) -> usize {
        match self {
            Number::F64 => 8,
            Number::F32 => 4,
            Number::F16 | Number::Bf16 => 2,
        }
    }

    /// Appends the numbers that `bytes` hold to `values`. What f32 has no room for becomes infinite.
    pub(super) fn read(self, bytes: &[u8], values: &mut Vec<f32>) {
        match self {
            Number::F64 => values.extend(bytes.as_chunks().0.iter().map(|&b| f64::from_le_bytes(b) as f32)),
            Number::F32 => values.extend(bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b))),
            Number::F16 => {
                values.extend(bytes.as_chunks().0.iter().map(|&b| f16::from_le_bytes(b).to_f32()));
            }
            Number::Bf16 => {
                values.extend(bytes.as_chunks().0.iter().map(|&b| bf16::from_le_bytes(b).to_f32()));
            }
        }
    }
}

/// Refuses another format, by the name that the file gives it.
pub(super) fn refuse<T>(format: &str) -> Result<T> {
    bail!("it is stored as {format}; save the checkpoint as f32, f16, bf16 or f64")
}
