//! The output-block product: a strip of 4 outputs × 2 vectors of lanes in 8 accumulators.
//!
//! A register holds 16 lanes (or twice 16) of one row of the activations. Interleaving four rows gives four vectors of
//! quads, of which each pass over the strip's tiles makes and multiplies two: with 16 registers there is no room for the
//! sums of four. 16 lanes, or the last 16 of 48, leave room in 256 bits for two tiles of columns side by side.

use core::ops::Range;

use super::super::index::tile_rows;
use super::Dot;
use crate::operands::{Lanes, OutputBlockOperands};
use crate::vector::{OutputRows, RawEpilogue};

/// See [`crate::Kernels::output_block`].
#[inline(always)]
pub(in super::super) fn output_block<D: Dot>(d: D, operands: OutputBlockOperands<'_>) {
    // SAFETY: the token proves the features.
    unsafe {
        match operands.lanes {
            Lanes::L64 => d.output_strips::<64, 6>(operands),
            Lanes::L48 => d.output_strips::<48, 6>(operands),
            Lanes::L32 => d.output_strips::<32, 5>(operands),
            Lanes::L16 => d.output_strips::<16, 4>(operands),
        }
    }
}

/// The product with tiles of `LANES` lanes, as many as those of the operands, of which rows have `1 << SHIFT` bytes.
#[inline(always)]
pub(in super::super) fn strips<D: Dot, const LANES: usize, const SHIFT: u32>(
    d: D,
    mut operands: OutputBlockOperands<'_>,
) {
    let epilogue = RawEpilogue::new(&mut operands);
    let OutputBlockOperands { matrix, strips, x, out, .. } = operands;
    for (strip, out) in strips.zip(out.chunks_exact_mut(4 * LANES)) {
        // SAFETY: the operands were checked: the matrix has the strip; a validated matrix' pointers, scales, biases and
        // sums have an entry for each strip or row.
        let strip = unsafe {
            let pointers = matrix.pointers().as_ptr().add(strip);
            Strip {
                tiles: *pointers as usize..*pointers.add(1) as usize,
                deltas: matrix.deltas().as_ptr(),
                weights: matrix.weights().as_ptr(),
                rows: OutputRows {
                    first: 4 * strip,
                    scales: *matrix.scales().as_ptr().add(4 * strip).cast(),
                    biases: *matrix.biases().as_ptr().add(4 * strip).cast(),
                    sums: *matrix.row_sums().as_ptr().add(4 * strip).cast(),
                },
            }
        };
        for column in (0..LANES).step_by(4 * D::LANES) {
            // SAFETY: the operands were checked: `x` has a row of `1 << SHIFT` bytes for each column, the scales and the
            // epilogue's slice have `LANES` elements, and `out` is 4 rows of so many.
            unsafe {
                strip.half::<D, LANES, SHIFT, false>(d, x.as_ptr(), column, epilogue, out.as_mut_ptr());
                strip.half::<D, LANES, SHIFT, true>(d, x.as_ptr(), column, epilogue, out.as_mut_ptr());
            }
        }
    }
}

/// A strip of a validated matrix.
struct Strip {
    tiles: Range<usize>,
    deltas: *const u8,
    weights: *const i8,
    rows: OutputRows<4>,
}

impl Strip {
    /// From lane `column` on the low or the high 8 lanes of each 16.
    ///
    /// # Safety
    /// `x` must be valid for a row of `1 << SHIFT` bytes for each column of the matrix and `out` for 4 rows of `LANES`
    /// floats; both have the register's lanes at `column`, or 16 lanes if there are no more. `epilogue` must be valid for
    /// the lanes.
    #[inline(always)]
    unsafe fn half<D: Dot, const LANES: usize, const SHIFT: u32, const HIGH: bool>(
        &self,
        d: D,
        x: *const i8,
        column: usize,
        epilogue: RawEpilogue,
        out: *mut f32,
    ) {
        // Two tiles of columns side by side? The first condition is for the compiler.
        let pairs = !LANES.is_multiple_of(4 * D::LANES) && column + 4 * D::LANES > LANES;
        let first = if HIGH { column + 8 } else { column };
        // SAFETY: the caller's promise.
        unsafe {
            let acc = self.multiply::<D, SHIFT, HIGH>(d, x.add(column), pairs);
            let mut low = [[d.splat_i32(0)]; 4];
            let mut high = low;
            for ((acc, low), high) in acc.into_iter().zip(&mut low).zip(&mut high) {
                let [a, b] = d.blocks_in_order(acc);
                if pairs {
                    *low = [d.add_i32(a, b)];
                } else {
                    (*low, *high) = ([a], [b]);
                }
            }
            epilogue.finish(d, low, first, &self.rows, out, LANES);
            if !pairs {
                // The next lanes of a single block, or the other block's.
                let second = if D::LANES == 4 { first + 4 } else { first + 16 };
                epilogue.finish(d, high, second, &self.rows, out, LANES);
            }
        }
    }

    /// The accumulators of the 4 outputs.
    ///
    /// # Safety
    /// As for [`Strip::half`].
    #[inline(always)]
    unsafe fn multiply<D: Dot, const SHIFT: u32, const HIGH: bool>(
        &self,
        d: D,
        x: *const i8,
        pairs: bool,
    ) -> [[D::I32; 2]; 4] {
        let mut acc = [[d.splat_i32(0); 2]; 4];
        for (acc, sum) in acc.iter_mut().zip(self.rows.sums) {
            // In one block only if there are two parts: they meet the row's weights once.
            let start = d.splat_i32(sum.wrapping_mul(D::SIGNED_START));
            *acc = if pairs { [d.first_block(start); 2] } else { [start; 2] };
        }
        // SAFETY: tile `t` has deltas 4t .. 4t + 4, whose columns each have a row of `x`, and weights 16t .. 16t + 16.
        unsafe {
            let mut deltas = self.deltas.add(4 * self.tiles.start);
            let mut weights = self.weights.add(16 * self.tiles.start);
            let mut x = x;
            if pairs {
                for _ in 0..self.tiles.len() / 2 {
                    let at = [tile_rows::<SHIFT>(deltas), tile_rows::<SHIFT>(deltas.add(4))];
                    let second = x.add(at[0][3]);
                    pair::<D, HIGH>(d, [x, second], at, [weights, weights.add(16)], &mut acc);
                    (x, deltas, weights) = (second.add(at[1][3]), deltas.add(8), weights.add(32));
                }
                if !self.tiles.len().is_multiple_of(2) {
                    // There is no second tile: the first one's rows again with weights of 0.
                    let zero: &[i8; 16] = &[0; 16];
                    let at = tile_rows::<SHIFT>(deltas);
                    pair::<D, HIGH>(d, [x, x], [at, at], [weights, zero.as_ptr()], &mut acc);
                }
                return acc;
            }
            for _ in self.tiles.clone() {
                let at = tile_rows::<SHIFT>(deltas);
                let mut rows = [d.splat_i32(0); 4];
                for (row, at) in rows.iter_mut().zip(at) {
                    *row = d.load_i32(x.add(at).cast());
                }
                accumulate::<D, HIGH>(d, rows, d.four_quads(weights), &mut acc);
                (x, deltas, weights) = (x.add(at[3]), deltas.add(4), weights.add(16));
            }
        }
        acc
    }
}

/// Two tiles of columns side by side, 16 lanes of each: the places of their rows from `x` on, and their weights.
///
/// # Safety
/// `x` must be valid for 16 bytes at each place, and `weights` for 16 bytes each.
#[inline(always)]
unsafe fn pair<D: Dot, const HIGH: bool>(
    d: D,
    x: [*const i8; 2],
    [at, second]: [[usize; 4]; 2],
    weights: [*const i8; 2],
    acc: &mut [[D::I32; 2]; 4],
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut rows = [d.splat_i32(0); 4];
        for ((row, at), second) in rows.iter_mut().zip(at).zip(second) {
            *row = d.load_halves(x[0].add(at), x[1].add(second));
        }
        let all = d.load_halves(weights[0], weights[1]);
        let weights =
            [d.spread::<0x00>(all), d.spread::<0x55>(all), d.spread::<0xaa>(all), d.spread::<0xff>(all)];
        accumulate::<D, HIGH>(d, rows, weights, acc);
    }
}

/// Adds the products of four rows' quads with the weights of each output.
#[inline(always)]
fn accumulate<D: Dot, const HIGH: bool>(
    d: D,
    rows: [D::I32; 4],
    weights: [D::I32; 4],
    acc: &mut [[D::I32; 2]; 4],
) {
    let quads = interleave::<D, HIGH>(d, rows);
    for (acc, weights) in acc.iter_mut().zip(weights) {
        acc[0] = d.dot(acc[0], quads[0], weights);
        acc[1] = d.dot(acc[1], quads[1], weights);
    }
}

/// The quads of the low or the high 8 lanes of each 16.
#[inline(always)]
fn interleave<D: Dot, const HIGH: bool>(d: D, [a, b, c, e]: [D::I32; 4]) -> [D::X; 2] {
    let (ab, ce) = if HIGH {
        (d.unpack_high_bytes(a, b), d.unpack_high_bytes(c, e))
    } else {
        (d.unpack_low_bytes(a, b), d.unpack_low_bytes(c, e))
    };
    [d.signed(d.unpack_low_pairs(ab, ce)), d.signed(d.unpack_high_pairs(ab, ce))]
}
