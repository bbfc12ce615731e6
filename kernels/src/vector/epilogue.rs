//! What becomes of a product's accumulators.

use super::Vector;
use crate::Epilogue;
use crate::operands::ProductOperands;

/// [`Epilogue::Store`] as a constant parameter.
pub(crate) const STORE: u8 = 0;
/// [`Epilogue::Add`] as a constant parameter.
pub(crate) const ADD: u8 = 1;
/// [`Epilogue::Max`] as a constant parameter.
pub(crate) const MAX: u8 = 2;
/// [`Epilogue::AddAffine`] as a constant parameter.
pub(crate) const ADD_AFFINE: u8 = 3;

/// [`Epilogue`] and the lanes' scales, without their borrows, so that they can be used for one group of columns after
/// the other. Its pointers are good as long as those borrows.
#[derive(Clone, Copy)]
pub(crate) struct RawEpilogue {
    x_scales: *const f32,
    kind: u8,
    /// Per row of the matrix; only for [`ADD`] and [`ADD_AFFINE`]. Only the rows of the output are there.
    smoothing: *const f32,
    /// Per lane; only for [`ADD_AFFINE`].
    zero_points: *const i32,
    /// Per-lane largest value; only for [`MAX`].
    max: *mut f32,
}

/// Rows of the output that are finished together: the scale, the bias and the sum of the weights of each.
#[derive(Clone, Copy)]
pub(crate) struct OutputRows<const R: usize> {
    /// The first one, among those of the matrix.
    pub first: usize,
    pub scales: [f32; R],
    pub biases: [f32; R],
    pub sums: [i32; R],
}

impl RawEpilogue {
    /// That of the operands, for as long as they are borrowed.
    pub(crate) fn new<M>(operands: &mut ProductOperands<'_, M>) -> Self {
        let mut raw = Self {
            x_scales: operands.x_scales.as_ptr(),
            kind: STORE,
            smoothing: core::ptr::null(),
            zero_points: core::ptr::null(),
            max: core::ptr::null_mut(),
        };
        // As if there was one for the rows of the matrix before the output's first, too.
        let from_first_row = |smoothing: &[f32]| smoothing.as_ptr().wrapping_sub(4 * operands.strips.start);
        match &mut operands.epilogue {
            Epilogue::Store => {}
            Epilogue::Add { smoothing } => (raw.kind, raw.smoothing) = (ADD, from_first_row(smoothing)),
            Epilogue::AddAffine { smoothing, zero_points } => {
                (raw.kind, raw.smoothing) = (ADD_AFFINE, from_first_row(smoothing));
                raw.zero_points = zero_points.as_ptr();
            }
            Epilogue::Max { max } => (raw.kind, raw.max) = (MAX, max.as_mut_ptr()),
        }
        raw
    }

    /// [`STORE`], [`ADD`], [`MAX`] or [`ADD_AFFINE`].
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn kind(self) -> u8 {
        self.kind
    }

    /// [`RawEpilogue::finish_kind`] of whatever kind it is.
    ///
    /// # Safety
    /// As for [`RawEpilogue::finish_kind`].
    #[inline(always)]
    pub(crate) unsafe fn finish<V: Vector, const R: usize, const K: usize>(
        self,
        v: V,
        acc: [[V::I32; K]; R],
        column: usize,
        rows: &OutputRows<R>,
        out: *mut f32,
        stride: usize,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            match self.kind {
                STORE => self.finish_kind::<V, STORE, R, K>(v, acc, column, rows, out, stride),
                ADD => self.finish_kind::<V, ADD, R, K>(v, acc, column, rows, out, stride),
                ADD_AFFINE => self.finish_kind::<V, ADD_AFFINE, R, K>(v, acc, column, rows, out, stride),
                _ => self.finish_kind::<V, MAX, R, K>(v, acc, column, rows, out, stride),
            }
        }
    }

    /// `K` vectors of each of `R` output rows, from lane `column` on: `y = (acc · x_scale) · scale + bias`, then the
    /// epilogue. `out` is the start of the first row, the next is `stride` elements on. `KIND` is [`RawEpilogue::kind`].
    ///
    /// # Safety
    /// The scales and the epilogue's slices must still be borrowed and, like each row of `out`, be valid for `K` vectors
    /// from element `column` on; the rows are rows of the output that was checked; `KIND` must be `self.kind()`.
    #[inline(always)]
    pub(crate) unsafe fn finish_kind<V: Vector, const KIND: u8, const R: usize, const K: usize>(
        self,
        v: V,
        acc: [[V::I32; K]; R],
        column: usize,
        rows: &OutputRows<R>,
        out: *mut f32,
        stride: usize,
    ) {
        let mut y = [[v.splat(0.0); K]; R];
        for r in 0..R {
            let (scale, bias) = (v.splat(rows.scales[r]), v.splat(rows.biases[r]));
            for k in 0..K {
                let at = column + k * V::LANES;
                // SAFETY: vector `k` from `column` on.
                let x_scale = unsafe { v.load(self.x_scales.add(at)) };
                let mut acc = acc[r][k];
                if KIND == ADD_AFFINE {
                    // SAFETY: as above.
                    let zero_points = unsafe { v.load_i32(self.zero_points.add(at)) };
                    acc = v.add_i32(acc, v.mul_i32(zero_points, v.splat_i32(rows.sums[r])));
                }
                y[r][k] = v.add(v.mul(v.mul(v.to_f32(acc), x_scale), scale), bias);
            }
        }
        let adds = KIND == ADD || KIND == ADD_AFFINE;
        for (r, y) in y.iter().enumerate() {
            let smoothing = match KIND {
                // SAFETY: each row of the output has one.
                ADD | ADD_AFFINE => v.splat(unsafe { *self.smoothing.wrapping_add(rows.first + r) }),
                _ => v.splat(1.0),
            };
            for (k, &y) in y.iter().enumerate() {
                // SAFETY: vector `k` from `column` on, of row `r`.
                unsafe {
                    let out = out.add(r * stride + column + k * V::LANES);
                    v.store(if adds { v.add(v.mul(v.load(out), smoothing), y) } else { y }, out);
                }
            }
        }
        if KIND == MAX {
            for k in 0..K {
                // SAFETY: vector `k` from `column` on.
                unsafe {
                    let place = self.max.add(column + k * V::LANES);
                    let mut max = v.load(place);
                    for y in &y {
                        max = v.max(y[k], max);
                    }
                    v.store(max, place);
                }
            }
        }
    }
}
