//! What products of f32 matrices are computed in on a CPU.

use anyhow::{Context, Result};
use blockspan_kernels::dense_bf16::Bf16Products;
use candle_core::{DType, Device};

/// The number format that products round their operands to. Sums and results are f32.
#[derive(Clone, Copy, Debug, Default)]
pub enum Products {
    /// None: candle's own product. On an accelerator it takes the tensors as they are.
    #[default]
    F32,
    /// bf16.
    Bf16(Bf16Products),
}

impl Products {
    /// Those of a network that computes in `dtype`: on a CPU bf16 is a matter of products only.
    ///
    /// # Errors
    /// bf16 on a CPU that has no instructions for it.
    pub fn new(dtype: DType, device: &Device) -> Result<Self> {
        match dtype {
            DType::BF16 if device.is_cpu() => Self::bf16(Bf16Products::vectorized()),
            _ => Ok(Products::F32),
        }
    }

    fn bf16(found: Option<Bf16Products>) -> Result<Self> {
        let missing =
            "--dtype bf16: this CPU has no AVX-512 BF16 instructions; give --dtype f32, or --device cuda";
        Ok(Products::Bf16(found.context(missing)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cpu_without_the_instructions_is_told_what_to_do() {
        let message = Products::bf16(None).map_or_else(|error| error.to_string(), |_| String::new());
        assert!(message.contains("--dtype f32"), "{message}");
        assert!(matches!(Products::bf16(Some(Bf16Products::scalar())), Ok(Products::Bf16(_))));
        assert!(matches!(Products::new(DType::F32, &Device::Cpu), Ok(Products::F32)));
    }
}
