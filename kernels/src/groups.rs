//! The int8 products of 128-bit instruction sets: the loops over strips, rows and groups of 16 lanes.

use core::ops::Range;

use crate::layout::row_lanes;
use crate::matrix::{InputBlock, OutputBlock};
use crate::scalar::block_sparse::{check_input_block, check_output_block};
use crate::vector::{DenseSink, Finish, Rows, Vector};
use crate::{DenseRows, Epilogue, ShapeError};

/// Lanes of one register of int8.
const GROUP: usize = 16;

/// Sums of 16 lanes, 4 in each register.
pub(crate) type Sums<V> = [<V as Vector>::I32; 4];

/// The inner kernels of one instruction set, implemented by its token.
///
/// They are unsafe because they read through pointers. What they read is inside the operands because of the shapes
/// that [`check_output_block`] and its like check, and of the indices that
/// [`crate::matrix::PackedMatrix::validate`] checked. They enable the features that the token proves. Its vectors have 4
/// lanes.
///
/// Weights and rows are in [−127, 127], `x` in [−128, 127], or [0, 255] where it says so.
pub(crate) trait Products: Vector {
    /// `Σ weights[output] · x[column][lane]` for the 4 outputs of a strip and 16 lanes of rows of `LANES`.
    ///
    /// # Safety
    /// 16 bytes at `x + column · LANES` are readable for each column of the strip.
    unsafe fn output_strip<const LANES: usize>(
        self,
        strip: &Strip<'_>,
        x: *const i8,
        sums: &mut [Sums<Self>; 4],
    );

    /// `Σ weights · x[quad][lane]` for one output and `16 · GROUPS` lanes.
    ///
    /// # Safety
    /// `64 · GROUPS` bytes at `x + quad · 4 · LANES` are readable for each block of the row, `quad` its columns divided
    /// by 4.
    unsafe fn input_row<const LANES: usize, const GROUPS: usize>(
        self,
        row: &Row<'_>,
        x: *const i8,
        sums: &mut [Sums<Self>; GROUPS],
    );

    /// `Σ x · row` for the first rows of a piece, as many as suit the instruction set, and 16 lanes; returns how
    /// many, from 1 to 8. `x` is unsigned if `UNSIGNED`.
    ///
    /// # Safety
    /// `piece` is as its fields say.
    unsafe fn dense<const UNSIGNED: bool>(self, piece: &Piece<'_>, sums: &mut [Sums<Self>; 8]) -> usize;
}

/// The products of [`crate::Kernels`] for an instruction set whose token (`Self`) implements [`Products`]; to be used
/// inside its `impl Kernels`.
macro_rules! product_kernels {
    () => {
        fn output_block(
            &self,
            matrix: &$crate::matrix::OutputBlock<'_>,
            strips: core::ops::Range<usize>,
            x: &[i8],
            x_scales: &[f32],
            epilogue: $crate::Epilogue<'_>,
            out: &mut [f32],
        ) -> Result<(), $crate::ShapeError> {
            $crate::groups::output_block(*self, matrix, strips, x, x_scales, epilogue, out)
        }

        fn input_block(
            &self,
            matrix: &$crate::matrix::InputBlock<'_>,
            strips: core::ops::Range<usize>,
            x: &[i8],
            x_scales: &[f32],
            epilogue: $crate::Epilogue<'_>,
            out: &mut [f32],
        ) -> Result<(), $crate::ShapeError> {
            $crate::groups::input_block(*self, matrix, strips, x, x_scales, epilogue, out)
        }

        fn scores(
            &self,
            rows: &$crate::DenseRows<'_>,
            x: &[i8],
            x_scales: &[f32],
            most: &mut [i16],
            out: &mut [i16],
        ) -> Result<(), $crate::ShapeError> {
            let lanes = $crate::scalar::attention::check_scores(rows, x.len(), x_scales, most, out)?;
            let sink = $crate::vector::Scores::new(rows, x_scales, most, out);
            $crate::groups::dense::<_, false>(*self, rows, x, lanes, sink);
            Ok(())
        }

        fn context(
            &self,
            rows: &$crate::DenseRows<'_>,
            x: &[u8],
            x_scales: &[f32],
            out: &mut [f32],
        ) -> Result<(), $crate::ShapeError> {
            let lanes = $crate::scalar::attention::check_context(rows, x.len(), x_scales, out)?;
            let sink = $crate::vector::Context::new(rows, x_scales, out);
            $crate::groups::dense::<_, true>(*self, rows, bytemuck::cast_slice(x), lanes, sink);
            Ok(())
        }
    };
}
pub(crate) use product_kernels;

/// The tiles of a strip.
pub(crate) struct Strip<'a> {
    /// The distances of each tile's 4 columns to the columns before.
    pub deltas: &'a [[u8; 4]],
    /// `[4 outputs][4 columns]` of each tile.
    pub weights: &'a [[i8; 16]],
}

impl<'a> Strip<'a> {
    fn new(matrix: &OutputBlock<'a>, strip: usize) -> Self {
        let tiles = span(matrix.pointers(), strip);
        let deltas = matrix.deltas().as_chunks().0.get(tiles.clone()).unwrap_or(&[]);
        let weights = matrix.weights().as_chunks().0.get(tiles).unwrap_or(&[]);
        Self { deltas, weights }
    }
}

/// The rows of a tile's columns in the activations; `x` goes from the row of the column before to that of the last.
#[inline(always)]
pub(crate) fn advance<const LANES: usize>(x: &mut *const i8, deltas: &[u8; 4]) -> [*const i8; 4] {
    deltas.each_ref().map(|delta| {
        // Volatile, or the compiler loads all four at once and takes 8 instructions to part and scale them.
        // SAFETY: a reference.
        let delta = unsafe { core::ptr::from_ref(delta).read_volatile() };
        *x = x.wrapping_add(usize::from(delta) * LANES);
        *x
    })
}

/// A row of an input-block matrix.
pub(crate) struct Row<'a> {
    matrix: &'a InputBlock<'a>,
    row: usize,
}

impl<'a> Row<'a> {
    /// The blocks of each panel: where the panel's quads begin in `x`, places in the panel and weights.
    #[inline]
    pub fn panels<const LANES: usize>(
        &self,
        x: *const i8,
    ) -> impl Iterator<Item = (*const i8, &'a [u8], &'a [[i8; 4]])> + use<'a, LANES> {
        let (matrix, row) = (self.matrix, self.row);
        (0..matrix.panels()).map(move |panel| {
            let blocks = span(matrix.pointers(), panel * matrix.rows() + row);
            let indices = matrix.indices().get(blocks.clone()).unwrap_or(&[]);
            let x = x.wrapping_add(panel * matrix.panel_cols() * LANES);
            (x, indices, matrix.weights().as_chunks().0.get(blocks).unwrap_or(&[]))
        })
    }
}

/// `pointers[i] .. pointers[i + 1]`.
#[inline]
fn span(pointers: &[u32], i: usize) -> Range<usize> {
    let pointer = |i: usize| pointers.get(i).map_or(0, |&p| p as usize);
    pointer(i)..pointer(i + 1)
}

/// What is left of a dense product for 16 lanes.
pub(crate) struct Piece<'a> {
    /// The rows; each has `4 · quads` values.
    rows: &'a DenseRows<'a>,
    /// The first row that is left, below the number of rows.
    first: usize,
    /// `cols / 4`.
    pub quads: usize,
    /// Quads, `[quads][lanes][4]`, from the piece's first lane on: 64 bytes at each are readable.
    pub x: *const i8,
    /// Distance between quads in bytes.
    pub x_stride: usize,
}

impl Piece<'_> {
    /// Rows that are left, at least 1.
    #[inline]
    pub fn left(&self) -> usize {
        self.rows.sums.len() - self.first
    }

    /// The values of the first `N` rows that are left; good to read if there are as many.
    #[inline]
    pub fn values<const N: usize>(&self) -> [*const i8; N] {
        let first = self.rows.values.as_ptr().wrapping_add(self.first * self.rows.stride);
        core::array::from_fn(|i| first.wrapping_add(i * self.rows.stride))
    }

    /// Sum of row `i` of those that are left; WebAssembly's product takes unsigned bytes without a correction.
    #[cfg(not(target_arch = "wasm32"))]
    #[inline]
    pub fn sum(&self, i: usize) -> i32 {
        self.rows.sums.get(self.first + i).copied().unwrap_or(0)
    }
}

/// See [`crate::Kernels::output_block`].
pub(crate) fn output_block<P: Products>(
    token: P,
    matrix: &OutputBlock<'_>,
    strips: Range<usize>,
    x: &[i8],
    x_scales: &[f32],
    mut epilogue: Epilogue<'_>,
    out: &mut [f32],
) -> Result<(), ShapeError> {
    let lanes = check_output_block(matrix, &strips, x, x_scales, &epilogue, out)?;
    let finish = Finish::new(x_scales, &mut epilogue, 4 * strips.start);
    let mut sums = [[token.splat_i32(0); 4]; 4];
    for (strip, out) in strips.zip(out.chunks_exact_mut(4 * lanes)) {
        let tiles = Strip::new(matrix, strip);
        for column in (0..lanes).step_by(GROUP) {
            let x = x.as_ptr().wrapping_add(column);
            // SAFETY: columns are below `cols` (`validate`), and `x` holds as many rows of `row_lanes(lanes)` bytes
            // (`check_output_block`), of which these are 16 from lane `column` on.
            unsafe {
                match row_lanes(lanes) {
                    16 => token.output_strip::<16>(&tiles, x, &mut sums),
                    32 => token.output_strip::<32>(&tiles, x, &mut sums),
                    _ => token.output_strip::<64>(&tiles, x, &mut sums),
                }
            }
            for ((row, sums), out) in (4 * strip..).zip(sums).zip(out.chunks_exact_mut(lanes)) {
                let rows = Rows { first: row, scales: [matrix.scale(row)], biases: [matrix.bias(row)] };
                // SAFETY: the scales, the epilogue's slice and `out` have `lanes` ≥ `column + 16` elements.
                unsafe { finish.any_rows(token, [sums], column, &rows, out.as_mut_ptr(), 0) }
            }
        }
    }
    Ok(())
}

/// See [`crate::Kernels::input_block`].
///
/// Lanes are the outer loop: 32 of them make 128 bytes a quad, so that the inputs of 1024 columns are 32 KB.
pub(crate) fn input_block<P: Products>(
    token: P,
    matrix: &InputBlock<'_>,
    strips: Range<usize>,
    x: &[i8],
    x_scales: &[f32],
    mut epilogue: Epilogue<'_>,
    out: &mut [f32],
) -> Result<(), ShapeError> {
    let lanes = check_input_block(matrix, &strips, x, x_scales, &epilogue, out)?;
    let finish = Finish::new(x_scales, &mut epilogue, 4 * strips.start);
    let mut sums = [[token.splat_i32(0); 4]; 2];
    for first in (0..lanes).step_by(2 * GROUP) {
        let x = x.as_ptr().wrapping_add(4 * first);
        // Of 16 and of the last of 48 lanes there is but one group.
        let groups = ((lanes - first) / GROUP).min(2);
        for (row, out) in (4 * strips.start..).zip(out.chunks_exact_mut(lanes)) {
            let blocks = Row { matrix, row };
            let [one, _] = &mut sums;
            // SAFETY: blocks lie inside the columns (`validate`), and `x` holds `cols / 4` quads of `lanes` lanes
            // (`check_input_block`), of which these are the 16 or 32 from lane `first` on.
            unsafe {
                match (lanes, groups) {
                    (16, _) => token.input_row::<16, 1>(&blocks, x, core::array::from_mut(one)),
                    (32, _) => token.input_row::<32, 2>(&blocks, x, &mut sums),
                    (48, 1) => token.input_row::<48, 1>(&blocks, x, core::array::from_mut(one)),
                    (48, _) => token.input_row::<48, 2>(&blocks, x, &mut sums),
                    _ => token.input_row::<64, 2>(&blocks, x, &mut sums),
                }
            }
            let rows = Rows { first: row, scales: [matrix.scale(row)], biases: [matrix.bias(row)] };
            for (sums, column) in sums.into_iter().zip((first..).step_by(GROUP)).take(groups) {
                // SAFETY: the scales, the epilogue's slice and `out` have `lanes` ≥ `column + 16` elements.
                unsafe { finish.any_rows(token, [sums], column, &rows, out.as_mut_ptr(), 0) }
            }
        }
    }
    Ok(())
}

/// [`crate::Kernels::scores`] and, if `UNSIGNED`, [`crate::Kernels::context`], whose shapes and `sink` the caller has
/// checked.
pub(crate) fn dense<P: Products, const UNSIGNED: bool>(
    token: P,
    rows: &DenseRows<'_>,
    x: &[i8],
    lanes: usize,
    sink: impl DenseSink<P>,
) {
    let (quads, x_stride) = (rows.cols / 4, 4 * lanes);
    let mut sums = [[token.splat_i32(0); 4]; 8];
    let mut first = 0;
    while first < rows.sums.len() {
        let mut done = 1;
        for column in (0..lanes).step_by(GROUP) {
            let piece = Piece { rows, first, quads, x: x.as_ptr().wrapping_add(4 * column), x_stride };
            // SAFETY: `x` holds `quads · lanes` quads and `rows` the rows that its sums count; `sink` has them, and
            // `lanes` ≥ `column + 16`.
            unsafe {
                done = token.dense::<UNSIGNED>(&piece, &mut sums);
                for (row, sums) in (first..first + done).zip(sums) {
                    sink.put(token, &[sums], row, column);
                }
            }
        }
        first += done;
    }
}
