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

/// Linear warm-up from 0, then decay to 0.
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
    /// The learning rate at `progress`, the share of the run that is done, 0 to 1.
    pub fn rate(&self, progress: f64) -> f64 {
        let progress = progress.clamp(0.0, 1.0);
        if progress < self.warmup {
            return self.peak * progress / self.warmup;
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
        for (progress, rate) in [(0.0, 0.0), (0.05, 1.0), (0.1, 2.0), (0.55, 1.0), (1.0, 0.0), (1.5, 0.0)] {
            assert!((HALF.rate(progress) - rate).abs() < 1e-12, "at {progress}");
        }
        assert_eq!(Schedule { warmup: 0.0, ..HALF }.rate(0.0), 2.0);
    }

    #[test]
    fn the_cosine_falls_late() {
        let cosine = Schedule { decay: Decay::Cosine, ..HALF };
        // A quarter of the way down the cosine stands at (1 + cos 45 degrees) / 2.
        let quarter = 1.0 + core::f64::consts::FRAC_1_SQRT_2;
        for (progress, rate) in [(0.05, 1.0), (0.1, 2.0), (0.325, quarter), (0.55, 1.0), (1.0, 0.0)] {
            assert!((cosine.rate(progress) - rate).abs() < 1e-12, "at {progress}: {}", cosine.rate(progress));
        }
    }
}
