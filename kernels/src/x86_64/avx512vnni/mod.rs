//! AVX-512 F, BW, VL and VNNI: `vpdpbusd` over 16 lanes.
//!
//! `vpdpbusd` multiplies unsigned by signed bytes, so activations are made unsigned by flipping their top bit, which
//! adds 128, and an accumulator starts at −128 · (sum of the row's weights). All of that wraps, and the result fits.

mod dense;
mod input_block;
mod output_block;
mod vector;

use core::ops::Range;

use super::cpuid::Features;
use crate::matrix::{InputBlock, OutputBlock};
use crate::scalar::attention::check_dense;
use crate::scalar::block_sparse::check_product;
use crate::vector::{Finish, float_kernels};
use crate::{DenseRows, Epilogue, Isa, Kernels, ShapeError};

/// Proof that AVX-512 F, BW, VL and VNNI can be used.
#[derive(Clone, Copy, Debug)]
pub struct Avx512Vnni(());

impl Avx512Vnni {
    /// The token, if the CPU has the instructions and the operating system saves their registers.
    pub fn new() -> Option<Self> {
        Features::detect().avx512vnni.then_some(Self(()))
    }

    pub(super) fn kernels() -> Option<&'static dyn Kernels> {
        Self::new().map(|_| &Self(()) as &dyn Kernels)
    }
}

impl Avx512Vnni {
    /// Both dense products; `x` as bytes.
    fn dense<const SIGNED: bool>(
        self,
        rows: &DenseRows<'_>,
        x: &[u8],
        x_scales: &[f32],
        out: &mut [f32],
    ) -> Result<(), ShapeError> {
        let lanes = check_dense(rows, x.len(), x_scales, out)?;
        let (x, x_scales, out) = (x.as_ptr(), x_scales.as_ptr(), out.as_mut_ptr());
        // SAFETY: the token proves the instructions. `check_dense` saw that the slices of `rows` are long enough, that
        // `x` has `cols / 4` rows of `lanes` quads, `out` one of `lanes` floats for each row, and `x_scales` `lanes`.
        unsafe {
            match lanes {
                64 => dense::rows::<4, 6, SIGNED>(self, rows, x, x_scales, out),
                32 => dense::rows::<2, 8, SIGNED>(self, rows, x, x_scales, out),
                _ => dense::rows::<1, 8, SIGNED>(self, rows, x, x_scales, out),
            }
        }
        Ok(())
    }
}

impl Kernels for Avx512Vnni {
    fn isa(&self) -> Isa {
        Isa::Avx512Vnni
    }

    fn output_block(
        &self,
        matrix: &OutputBlock<'_>,
        strips: Range<usize>,
        x: &[i8],
        x_scales: &[f32],
        mut epilogue: Epilogue<'_>,
        out: &mut [f32],
    ) -> Result<(), ShapeError> {
        let lanes = check_product(matrix.rows(), matrix.cols(), &strips, x, x_scales, &epilogue, out)?;
        let finish = Finish::new(x_scales, &mut epilogue);
        // SAFETY: the token proves the instructions. `check_product` saw that `strips` lie in the matrix, that `x` has
        // `cols` rows of `lanes` bytes, `out` 4 rows of `lanes` floats for each strip, and the scales and the
        // epilogue's slice `lanes` elements.
        unsafe {
            output_block::product(*self, matrix, strips, lanes, x.as_ptr(), finish, out.as_mut_ptr());
        }
        Ok(())
    }

    fn input_block(
        &self,
        matrix: &InputBlock<'_>,
        strips: Range<usize>,
        x: &[i8],
        x_scales: &[f32],
        mut epilogue: Epilogue<'_>,
        out: &mut [f32],
    ) -> Result<(), ShapeError> {
        let lanes = check_product(matrix.rows(), matrix.cols(), &strips, x, x_scales, &epilogue, out)?;
        let finish = Finish::new(x_scales, &mut epilogue);
        let rows = 4 * strips.start..4 * strips.end;
        // SAFETY: as for `output_block`; `x` has `cols / 4` rows of `lanes` quads.
        unsafe { input_block::product(*self, matrix, rows, lanes, x.as_ptr(), finish, out.as_mut_ptr()) }
        Ok(())
    }

    fn dense_i8(
        &self,
        rows: &DenseRows<'_>,
        x: &[i8],
        x_scales: &[f32],
        out: &mut [f32],
    ) -> Result<(), ShapeError> {
        self.dense::<true>(rows, bytemuck::cast_slice(x), x_scales, out)
    }

    fn dense_u8(
        &self,
        rows: &DenseRows<'_>,
        x: &[u8],
        x_scales: &[f32],
        out: &mut [f32],
    ) -> Result<(), ShapeError> {
        self.dense::<false>(rows, x, x_scales, out)
    }

    float_kernels!("avx512f,avx512bw,avx512vl,avx512vnni");
}
