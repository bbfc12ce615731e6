//! The learning rate over the course of a run.

/// Linear warm-up from 0, then linear decay to 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// The learning rate at the end of the warm-up.
    pub peak: f64,
    /// The share of the run that warms up, 0 to 1.
    pub warmup: f64,
}

impl Schedule {
    /// The learning rate at `progress`, the share of the run that is done, 0 to 1.
    pub fn rate(&self, progress: f64) -> f64 {
        let progress = progress.clamp(0.0, 1.0);
        if progress < self.warmup {
            self.peak * progress / self.warmup
        } else if self.warmup < 1.0 {
            self.peak * (1.0 - progress) / (1.0 - self.warmup)
        } else {
            self.peak
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Schedule;

    #[test]
    fn rises_to_the_peak_and_falls_to_zero() {
        let schedule = Schedule { peak: 2.0, warmup: 0.1 };
        for (progress, rate) in [(0.0, 0.0), (0.05, 1.0), (0.1, 2.0), (0.55, 1.0), (1.0, 0.0), (1.5, 0.0)] {
            assert!((schedule.rate(progress) - rate).abs() < 1e-12, "at {progress}");
        }
        assert_eq!(Schedule { peak: 2.0, warmup: 0.0 }.rate(0.0), 2.0);
    }
}
