//! Operands of LayerNorm and of the output layer.

use core::num::NonZeroUsize;

use super::{Checked, Lanes, ShapeError, has_len};

/// Operands of [`crate::Kernels::layer_norm`]: `x` has a row of `lanes` elements for each element of `gamma` and of
/// `beta`, `absmax` has `lanes` elements.
#[derive(Debug)]
pub struct LayerNormOperands<'a> {
    pub(crate) x: &'a mut [f32],
    pub(crate) gamma: &'a [f32],
    pub(crate) beta: &'a [f32],
    pub(crate) epsilon: f32,
    pub(crate) absmax: &'a mut [f32],
    pub(crate) lanes: Lanes,
    _checked: Checked,
}

impl<'a> LayerNormOperands<'a> {
    pub(crate) fn check(
        x: &'a mut [f32],
        gamma: &'a [f32],
        beta: &'a [f32],
        epsilon: f32,
        absmax: &'a mut [f32],
    ) -> Result<Self, ShapeError> {
        let lanes = Lanes::new(absmax.len())?;
        has_len(x, [gamma.len(), lanes.get()])?;
        has_len(beta, [gamma.len()])?;
        Ok(Self { x, gamma, beta, epsilon, absmax, lanes, _checked: Checked })
    }
}

/// Operands of [`crate::Kernels::linear_f32`].
///
/// `weights` has a row of `features` elements and `out` a row of `lanes` elements for each element of `bias`, of which
/// there is at least one; `x` has `features` rows of `lanes` elements.
#[derive(Debug)]
pub struct LinearOperands<'a> {
    pub(crate) weights: &'a [f32],
    pub(crate) bias: &'a [f32],
    pub(crate) x: &'a [f32],
    pub(crate) out: &'a mut [f32],
    pub(crate) lanes: Lanes,
    pub(crate) features: NonZeroUsize,
    _checked: Checked,
}

impl<'a> LinearOperands<'a> {
    pub(crate) fn check(
        weights: &'a [f32],
        bias: &'a [f32],
        x: &'a [f32],
        out: &'a mut [f32],
    ) -> Result<Self, ShapeError> {
        let outputs = NonZeroUsize::new(bias.len()).ok_or(ShapeError)?;
        let lanes = Lanes::new(out.len() / outputs)?;
        let features = NonZeroUsize::new(weights.len() / outputs).ok_or(ShapeError)?;
        has_len(out, [outputs.get(), lanes.get()])?;
        has_len(weights, [outputs.get(), features.get()])?;
        has_len(x, [features.get(), lanes.get()])?;
        Ok(Self { weights, bias, x, out, lanes, features, _checked: Checked })
    }
}
