//! AVX-512 F, BW, VL and VNNI: `vpdpbusd` over 16 lanes.
//!
//! `vpdpbusd` multiplies unsigned by signed bytes, so activations are made unsigned by flipping their top bit, which
//! adds 128, and an accumulator starts at −128 · (sum of the row's weights). All of that wraps, and the result fits.
//! Rows of activations lie in memory that way already; see [`rows`].

mod dense;
mod input_block;
mod output_block;
mod rows;
mod vector;

use core::ops::Range;

use super::cpuid::Features;
use crate::matrix::{InputBlock, OutputBlock};
use crate::scalar::attention::{check_context, check_scores};
use crate::scalar::block_sparse::{check_input_block, check_output_block};
use crate::vector::{Context, Finish, Scores, float_kernels};
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
        let lanes = check_output_block(matrix, &strips, x, x_scales, &epilogue, out)?;
        let finish = Finish::new(x_scales, &mut epilogue, 4 * strips.start);
        // SAFETY: the token proves the instructions. `check_output_block` saw that `strips` lie in the matrix, that `x`
        // has `cols` rows of `row_lanes(lanes)` bytes, `out` 4 rows of `lanes` floats for each strip, and the scales and
        // the epilogue's slice `lanes` elements.
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
        let lanes = check_input_block(matrix, &strips, x, x_scales, &epilogue, out)?;
        let finish = Finish::new(x_scales, &mut epilogue, 4 * strips.start);
        let rows = 4 * strips.start..4 * strips.end;
        // SAFETY: as for `output_block`; `x` has `cols / 4` rows of `lanes` quads.
        unsafe { input_block::product(*self, matrix, rows, lanes, x.as_ptr(), finish, out.as_mut_ptr()) }
        Ok(())
    }

    fn arrange_rows(&self, lanes: usize, rows: &mut [i8]) {
        rows::arrange(lanes, rows);
    }

    fn scores(
        &self,
        rows: &DenseRows<'_>,
        x: &[i8],
        x_scales: &[f32],
        most: &mut [i16],
        out: &mut [i16],
    ) -> Result<(), ShapeError> {
        let lanes = check_scores(rows, x.len(), x_scales, most, out)?;
        let sink = Scores::new(rows, x_scales, most, out);
        // SAFETY: the token proves the instructions. `check_scores` saw that the slices of `rows` are long enough, that
        // `x` has `cols / 4` rows of `lanes` quads, and `out` a row for each row.
        unsafe { dense::product::<true>(*self, rows, x.as_ptr().cast(), lanes, sink) }
        Ok(())
    }

    fn context(
        &self,
        rows: &DenseRows<'_>,
        x: &[u8],
        x_scales: &[f32],
        out: &mut [f32],
    ) -> Result<(), ShapeError> {
        let lanes = check_context(rows, x.len(), x_scales, out)?;
        let sink = Context::new(rows, x_scales, out);
        // SAFETY: as for `scores`.
        unsafe { dense::product::<false>(*self, rows, x.as_ptr(), lanes, sink) }
        Ok(())
    }

    float_kernels!("avx512f,avx512bw,avx512vl,avx512vnni");
}
