//! What becomes of a product's accumulators.

use super::Vector;
use crate::Epilogue;
use crate::math;

/// [`Epilogue`] and the lanes' scales, without their borrows, so that they can be used for one group of columns after
/// the other. Its pointers are good as long as those borrows.
#[derive(Clone, Copy)]
pub(crate) struct Finish {
    x_scales: *const f32,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    /// `out = y`.
    Store,
    /// `out = out + y`.
    Add,
    /// `out = gelu(y)`; holds the start of the per-lane largest |out|.
    Gelu(*mut f32),
}

impl Finish {
    /// `y` goes through the epilogue.
    pub(crate) fn new(x_scales: &[f32], epilogue: &mut Epilogue<'_>) -> Self {
        let kind = match epilogue {
            Epilogue::Store => Kind::Store,
            Epilogue::Add => Kind::Add,
            Epilogue::Gelu { absmax } => Kind::Gelu(absmax.as_mut_ptr()),
        };
        Self { x_scales: x_scales.as_ptr(), kind }
    }

    /// `K` vectors of one output row, from lane `column` on: `y = (acc · x_scale) · scale + bias`, then the epilogue.
    ///
    /// # Safety
    /// The scales and the epilogue's slice must still be borrowed and, like `out` (the output row's start), be valid
    /// for `K` vectors from element `column` on.
    #[inline(always)]
    pub(crate) unsafe fn row<V: Vector, const K: usize>(
        self,
        v: V,
        acc: [V::I32; K],
        column: usize,
        scale: f32,
        bias: f32,
        out: *mut f32,
    ) {
        let (scale, bias) = (v.splat(scale), v.splat(bias));
        for (k, acc) in acc.into_iter().enumerate() {
            let at = column + k * V::LANES;
            // SAFETY: vector `k` from `column` on, of each of the three.
            unsafe {
                let scaled = v.mul(v.to_f32(acc), v.load(self.x_scales.add(at)));
                let y = v.add(v.mul(scaled, scale), bias);
                match self.kind {
                    Kind::Store => v.store(y, out.add(at)),
                    Kind::Add => v.store(v.add(v.load(out.add(at)), y), out.add(at)),
                    Kind::Gelu(absmax) => {
                        let y = gelu(v, y);
                        v.store(y, out.add(at));
                        v.store(v.max(v.abs(y), v.load(absmax.add(at))), absmax.add(at));
                    }
                }
            }
        }
    }
}

/// [`math::gelu`].
#[inline(always)]
fn gelu<V: Vector>(v: V, x: V::F32) -> V::F32 {
    let near = v.min(v.abs(x), v.splat(math::GELU_LIMIT));
    let hump = v.horner(&math::GELU_COEFFICIENTS, v.sub(near, v.splat(math::GELU_CENTRE)));
    v.sub(v.max(x, v.splat(0.0)), hump)
}
