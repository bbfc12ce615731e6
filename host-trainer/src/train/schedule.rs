//! The learning rate over the course of a run.

/// How the learning rate falls from its peak to 0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Decay {
    /// In a straight line.
    #[default]
    Linear,
    /// As half a wave of the cosine: late, and gently at the end.
    Cosine,
}

/// Linear warm-up to the peak, then decay towards 0. No step of a run has the rate 0: the first one takes the first stair
/// of the warm-up, and the last one ends where the decay would reach 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// The learning rate at the end of the warm-up.
    pub peak: f64,
    /// The share of the run that warms up, 0 to 1.
    pub warmup: f64,
    /// How it falls afterwards.
    pub decay: Decay,
}

impl Schedule {
    /// The learning rate of a step: `progress` is the share of the run that is done before it, `next` that after it,
    /// 0 to 1.
    pub fn rate(&self, progress: f64, next: f64) -> f64 {
        let progress = progress.clamp(0.0, 1.0);
        if progress < self.warmup {
            return self.peak * (next / self.warmup).clamp(0.0, 1.0);
        }
        if self.warmup >= 1.0 {
            return self.peak;
        }
        let left = (1.0 - progress) / (1.0 - self.warmup);
        self.peak
            * match self.decay {
                Decay::Linear => left,
                Decay::Cosine => 0.5 - 0.5 * (core::f64::consts::PI * left).cos(),
            }
    }
}

#[cfg(test)]
mod tests {
    use super::{Decay, Schedule};

    const HALF: Schedule = Schedule { peak: 2.0, warmup: 0.1, decay: Decay::Linear };

    #[test]
    fn rises_to_the_peak_and_falls_to_zero() {
        for (progress, rate) in
            [(0.0, 0.2), (0.04, 1.0), (0.09, 2.0), (0.1, 2.0), (0.55, 1.0), (1.0, 0.0), (1.5, 0.0)]
        {
            assert!((HALF.rate(progress, progress + 0.01) - rate).abs() < 1e-12, "at {progress}");
        }
        assert_eq!(Schedule { warmup: 0.0, ..HALF }.rate(0.0, 0.01), 2.0);
    }

    #[test]
    fn no_step_has_the_rate_zero() {
        for decay in [Decay::Linear, Decay::Cosine] {
            for warmup in [0.0, 0.01, 0.1, 0.5, 1.0] {
                for steps in [1, 2, 7, 100] {
                    let schedule = Schedule { warmup, decay, ..HALF };
                    let share = |step: usize| step as f64 / steps as f64;
                    let rates: Vec<f64> =
                        (0..steps).map(|step| schedule.rate(share(step), share(step + 1))).collect();
                    assert!(rates.iter().all(|rate| (1e-5..=2.0).contains(rate)), "{schedule:?}: {rates:?}");
                    let highest = rates.iter().copied().fold(0.0, f64::max);
                    assert!(warmup > 0.5 || steps < 100 || (highest - 2.0).abs() < 1e-9, "{schedule:?}");
                }
            }
        }
        // A warm-up of 4 steps has 4 stairs, as (step + 1) / 4.
        let schedule = Schedule { warmup: 0.4, ..HALF };
        for (step, rate) in [0.5, 1.0, 1.5, 2.0, 2.0].into_iter().enumerate() {
            let share = step as f64 / 10.0;
            assert!((schedule.rate(share, share + 0.1) - rate).abs() < 1e-12, "step {step}");
        }
    }

    #[test]
    fn the_cosine_falls_late() {
        let cosine = Schedule { decay: Decay::Cosine, ..HALF };
        // A quarter of the way down the cosine stands at (1 + cos 45 degrees) / 2.
        let quarter = 1.0 + core::f64::consts::FRAC_1_SQRT_2;
        for (progress, rate) in [(0.05, 1.0), (0.1, 2.0), (0.325, quarter), (0.55, 1.0), (1.0, 0.0)] {
            let found = cosine.rate(progress, progress);
            assert!((found - rate).abs() < 1e-12, "at {progress}: {found}");
        }
    }
}
