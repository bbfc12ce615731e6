//! Row-wise loops on all threads, and reductions whose order does not depend on the threads.

use rayon::prelude::*;

/// Rows that one task handles. Fixed, so that sums are taken in the same order on every machine.
pub(super) const ROWS_PER_TASK: usize = 64;

/// Runs `f` with the widest vector instructions that the machine has.
#[inline(always)]
pub(crate) fn vectorized<R>(f: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(f)
}

/// The sum of the rows of a `[rows, columns]` matrix.
pub(super) fn sum_rows(data: &[f32], columns: usize) -> Vec<f32> {
    let partial: Vec<Vec<f32>> = data
        .par_chunks(ROWS_PER_TASK * columns)
        .map(|chunk| {
            vectorized(|| {
                let mut sum = vec![0.0; columns];
                for row in chunk.chunks_exact(columns) {
                    add_assign(&mut sum, row);
                }
                sum
            })
        })
        .collect();
    sum_vectors(&partial, columns)
}

/// The sum of equally long vectors, in their order.
pub(super) fn sum_vectors(vectors: &[Vec<f32>], len: usize) -> Vec<f32> {
    let mut sum = vec![0.0; len];
    for vector in vectors {
        add_assign(&mut sum, vector);
    }
    sum
}

#[inline(always)]
fn add_assign(sum: &mut [f32], row: &[f32]) {
    for (sum, value) in sum.iter_mut().zip(row) {
        *sum += value;
    }
}

/// The sum of squares, in f64 over chunks of a fixed size.
pub(crate) fn sum_of_squares(data: &[f32]) -> f64 {
    let partial: Vec<f64> =
        data.par_chunks(1 << 14).map(|chunk| vectorized(|| dot(chunk, chunk))).map(f64::from).collect();
    partial.iter().sum()
}

/// Independent partial sums of [`dot`]; enough for vector code to keep its registers busy.
const LANES: usize = 32;

/// The dot product of two slices, in [`LANES`] partial sums. Zeros behind the values do not change a bit of it: each value
/// goes to the sum that its place says.
#[inline(always)]
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; LANES];
    let (a_main, b_main) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let tail = a_main.remainder().iter().zip(b_main.remainder());
    for (a, b) in a_main.zip(b_main) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter_mut().zip(tail).for_each(|(sum, (a, b))| *sum += a * b);
    sums.iter().sum()
}

/// The sum of a slice, in [`LANES`] partial sums, as [`dot`] takes them.
#[inline(always)]
pub(super) fn sum(a: &[f32]) -> f32 {
    let mut sums = [0.0f32; LANES];
    let main = a.chunks_exact(LANES);
    let tail = main.remainder();
    for a in main {
        for lane in 0..LANES {
            sums[lane] += a[lane];
        }
    }
    sums.iter_mut().zip(tail).for_each(|(sum, a)| *sum += a);
    sums.iter().sum()
}
