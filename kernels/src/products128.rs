//! The int8 products of NEON and WebAssembly: the loops over strips, rows and groups of 16 lanes, as many as a register
//! of 128 bits holds of int8. (x86-64 has products of its own, whose registers are as wide or wider.)

use core::ops::Range;

use crate::DenseRows;
use crate::matrix::{InputBlock, OutputBlock};
use crate::operands::{ContextOperands, InputBlockOperands, Lanes, OutputBlockOperands, ScoresOperands};
use crate::vector::{ContextSink, DenseSink, OutputRows, RawEpilogue, ScoresSink, Vector};

/// Lanes of one register of int8.
const GROUP: usize = 16;

/// Sums of 16 lanes, 4 in each register.
pub(crate) type Sums<V> = [<V as Vector>::I32; 4];

/// The inner kernels of one instruction set, implemented by its token.
///
/// They are unsafe because they read through pointers. What they read is inside the operands because these were checked,
/// and so were a matrix' indices by [`crate::matrix::PackedMatrix::validate`]. They enable the features that the token
/// proves. Its vectors have 4 lanes.
///
/// Weights and rows are in [−127, 127], `x` in [−128, 127], or [0, 255] where it says so.
pub(crate) trait Products: Vector {
    /// `Σ weights[output] · x[column][lane]` for the 4 outputs of a strip and 16 lanes of rows of `LANES`.
    ///
    /// # Safety
    /// 16 bytes at `x + column · LANES` are readable for each column of the strip.
    unsafe fn output_strip<const LANES: usize>(
        self,
        strip: &StripTiles<'_>,
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
        row: &RowBlocks<'_>,
        x: *const i8,
        sums: &mut [Sums<Self>; GROUPS],
    );

    /// `Σ x · row` for the first rows that are left, as many as suit the instruction set, and 16 lanes; returns how
    /// many, from 1 to 8. `x` is unsigned if `UNSIGNED`.
    ///
    /// # Safety
    /// `rest` is as its fields say.
    unsafe fn dense<const UNSIGNED: bool>(self, rest: &DenseRest<'_>, sums: &mut [Sums<Self>; 8]) -> usize;
}

/// The tiles of a strip.
pub(crate) struct StripTiles<'a> {
    /// The distances of each tile's 4 columns to the columns before.
    pub deltas: &'a [[u8; 4]],
    /// `[4 outputs][4 columns]` of each tile.
    pub weights: &'a [[i8; 16]],
}

impl<'a> StripTiles<'a> {
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
pub(crate) struct RowBlocks<'a> {
    matrix: &'a InputBlock<'a>,
    row: usize,
}

impl<'a> RowBlocks<'a> {
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
pub(crate) struct DenseRest<'a> {
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

impl DenseRest<'_> {
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
pub(crate) fn output_block<P: Products>(token: P, mut operands: OutputBlockOperands<'_>) {
    let epilogue = RawEpilogue::new(&mut operands);
    let OutputBlockOperands { matrix, strips, x, out, lanes, .. } = operands;
    let mut sums = [[token.splat_i32(0); 4]; 4];
    for (strip, out) in strips.zip(out.chunks_exact_mut(4 * lanes.get())) {
        let tiles = StripTiles::new(matrix, strip);
        for column in (0..lanes.get()).step_by(GROUP) {
            let x = x.as_ptr().wrapping_add(column);
            // SAFETY: columns are below `cols` (`validate`), and `x` has as many rows of `row_lanes(lanes)` bytes (the
            // operands were checked), of which these are 16 from lane `column` on.
            unsafe {
                match lanes {
                    Lanes::L16 => token.output_strip::<16>(&tiles, x, &mut sums),
                    Lanes::L32 => token.output_strip::<32>(&tiles, x, &mut sums),
                    Lanes::L48 | Lanes::L64 => token.output_strip::<64>(&tiles, x, &mut sums),
                }
            }
            for ((row, sums), out) in (4 * strip..).zip(sums).zip(out.chunks_exact_mut(lanes.get())) {
                let rows = OutputRows {
                    first: row,
                    scales: [matrix.scale(row)],
                    biases: [matrix.bias(row)],
                    sums: [matrix.row_sums().get(row).copied().unwrap_or(0)],
                };
                // SAFETY: the scales, the epilogue's slice and `out` have `lanes` ≥ `column + 16` elements.
                unsafe { epilogue.finish(token, [sums], column, &rows, out.as_mut_ptr(), 0) }
            }
        }
    }
}

/// See [`crate::Kernels::input_block`].
///
/// Lanes are the outer loop: 32 of them make 128 bytes a quad, so that the inputs of 1024 columns are 32 KB.
pub(crate) fn input_block<P: Products>(token: P, mut operands: InputBlockOperands<'_>) {
    let epilogue = RawEpilogue::new(&mut operands);
    let InputBlockOperands { matrix, strips, x, out, lanes, .. } = operands;
    let mut sums = [[token.splat_i32(0); 4]; 2];
    for first in (0..lanes.get()).step_by(2 * GROUP) {
        let x = x.as_ptr().wrapping_add(4 * first);
        // Of 16 and of the last of 48 lanes there is but one group.
        let groups = ((lanes.get() - first) / GROUP).min(2);
        for (row, out) in (4 * strips.start..).zip(out.chunks_exact_mut(lanes.get())) {
            let blocks = RowBlocks { matrix, row };
            let [one, _] = &mut sums;
            // SAFETY: blocks lie inside the columns (`validate`), and `x` has `cols / 4` quads of `lanes` lanes (the
            // operands were checked), of which these are the 16 or 32 from lane `first` on.
            unsafe {
                match (lanes, groups) {
                    (Lanes::L16, _) => token.input_row::<16, 1>(&blocks, x, core::array::from_mut(one)),
                    (Lanes::L32, _) => token.input_row::<32, 2>(&blocks, x, &mut sums),
                    (Lanes::L48, 1) => token.input_row::<48, 1>(&blocks, x, core::array::from_mut(one)),
                    (Lanes::L48, _) => token.input_row::<48, 2>(&blocks, x, &mut sums),
                    (Lanes::L64, _) => token.input_row::<64, 2>(&blocks, x, &mut sums),
                }
            }
            let rows = OutputRows {
                first: row,
                scales: [matrix.scale(row)],
                biases: [matrix.bias(row)],
                sums: [matrix.row_sums().get(row).copied().unwrap_or(0)],
            };
            for (sums, column) in sums.into_iter().zip((first..).step_by(GROUP)).take(groups) {
                // SAFETY: the scales, the epilogue's slice and `out` have `lanes` ≥ `column + 16` elements.
                unsafe { epilogue.finish(token, [sums], column, &rows, out.as_mut_ptr(), 0) }
            }
        }
    }
}

/// See [`crate::Kernels::scores`].
pub(crate) fn scores<P: Products>(token: P, mut operands: ScoresOperands<'_>) {
    let sink = ScoresSink::new(&mut operands);
    let ScoresOperands { rows, x, lanes, .. } = operands;
    // SAFETY: the operands were checked: `rows` is as its fields say, `x` has `cols / 4` rows of `lanes` quads, and the
    // sink a row for each row.
    unsafe { dense::<_, false>(token, rows, x, lanes.get(), sink) }
}

/// See [`crate::Kernels::context`].
pub(crate) fn context<P: Products>(token: P, mut operands: ContextOperands<'_>) {
    let sink = ContextSink::new(&mut operands);
    let ContextOperands { rows, x, lanes, .. } = operands;
    // SAFETY: as in `scores`.
    unsafe { dense::<_, true>(token, rows, bytemuck::cast_slice(x), lanes.get(), sink) }
}

/// Both products; `x` is unsigned if `UNSIGNED`.
///
/// # Safety
/// `x` must have `cols / 4` rows of `lanes` quads, 16, 32, 48 or 64; the slices of `rows` must be as long as its
/// documentation says, and `sink` good for its rows and the lanes.
unsafe fn dense<P: Products, const UNSIGNED: bool>(
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
            let rest = DenseRest { rows, first, quads, x: x.as_ptr().wrapping_add(4 * column), x_stride };
            // SAFETY: `x` holds `quads · lanes` quads and `rows` the rows that its sums count; `sink` has them, and
            // `lanes` ≥ `column + 16`.
            unsafe {
                done = token.dense::<UNSIGNED>(&rest, &mut sums);
                for (row, sums) in (first..first + done).zip(sums) {
                    sink.put(token, &[sums], row, column);
                }
            }
        }
        first += done;
    }
}
