//! Sparsity over the course of a run.

/// The share of zeros rises from 0 to its target between two points of the run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ramp {
    /// The share of the run that is done when pruning begins, 0 to 1.
    pub begin: f64,
    /// The share of the run that is done when the target is reached, at least `begin`.
    pub end: f64,
    /// Steps between two prunings.
    pub every: usize,
}

impl Ramp {
    /// The share of zeros after the share `done` of the run: the cubic schedule of Zhu and Gupta ("To prune, or
    /// not to prune", 2017), `target · (1 − (1 − t)³)` with `t` from 0 at `begin` to 1 at `end`. It prunes fast
    /// while many blocks are redundant and slowly towards the end.
    pub fn sparsity(&self, done: f64, target: f64) -> f64 {
        if done >= self.end {
            return target;
        }
        let t = ((done - self.begin) / (self.end - self.begin)).clamp(0.0, 1.0);
        target * (1.0 - (1.0 - t).powi(3))
    }
}

#[cfg(test)]
mod tests {
    use super::Ramp;

    #[test]
    fn the_course_is_cubic() {
        let ramp = Ramp { begin: 0.1, end: 0.5, every: 10 };
        for (done, sparsity) in [
            (0.0, 0.0),
            (0.1, 0.0),
            (0.2, 0.8 * (1.0 - 0.75f64.powi(3))),
            (0.3, 0.8 * 0.875),
            (0.4, 0.8 * (1.0 - 0.25f64.powi(3))),
            (0.5, 0.8),
            (1.0, 0.8),
        ] {
            assert!((ramp.sparsity(done, 0.8) - sparsity).abs() < 1e-12, "at {done}");
        }
    }

    #[test]
    fn a_ramp_without_length_is_a_step() {
        let ramp = Ramp { begin: 0.3, end: 0.3, every: 1 };
        assert_eq!((ramp.sparsity(0.29, 0.5), ramp.sparsity(0.3, 0.5)), (0.0, 0.5));
    }
}
