//! What a packed file recommends for passages that may not hold the answer: three lines of its metadata.

use blockspan_kernels::math;

use crate::answer::AnswerOptions;
use crate::decimal::number;
use crate::model::Model;

/// The metadata's key of [`Model::null_threshold`].
const NULL_THRESHOLD: &str = "null_threshold";
/// The metadata's keys of [`Answerable`].
const SLOPE: &str = "answerable_slope";
/// See [`SLOPE`].
const INTERCEPT: &str = "answerable_intercept";

/// From [`Outcome::null_diff`](crate::Outcome::null_diff) to the probability that the passage holds an answer: the
/// logistic function 1 / (1 + e^−(slope · null_diff + intercept)), fitted by the trainer to questions of which half have
/// an answer (J. Platt: Probabilistic outputs for support vector machines, 1999).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answerable {
    /// `answerable_slope` of the metadata; negative, since a high `null_diff` speaks against an answer.
    pub slope: f32,
    /// `answerable_intercept` of the metadata.
    pub intercept: f32,
}

impl Answerable {
    /// The probability, 0 to 1, that a passage with this `null_diff` holds an answer: equal in every bit everywhere. Not a
    /// number if `null_diff` is none.
    pub fn probability(&self, null_diff: f32) -> f32 {
        let x = self.slope * null_diff + self.intercept;
        if x.is_nan() {
            return x;
        }
        // The exponent is never positive, so that nothing overflows.
        let power = math::exp(-x.abs());
        (if x < 0.0 { power } else { 1.0 }) / (1.0 + power)
    }

    fn of(metadata: &str) -> Option<Self> {
        let number = |key| number(value(metadata, key)?);
        Some(Self { slope: number(SLOPE)?, intercept: number(INTERCEPT)? })
    }
}

impl<'a> Model<'a> {
    /// The value of a key of [`metadata`](Self::metadata), without the spaces around it; the first where there are
    /// several.
    pub fn metadata_value(&self, key: &str) -> Option<&'a str> {
        value(self.metadata(), key)
    }

    /// The threshold that the file recommends (`null_threshold` of its metadata): where
    /// [`Outcome::null_diff`](crate::Outcome::null_diff) is above it, the passage probably does not hold the answer.
    /// Nothing for a file without one, or where it is no number.
    pub fn null_threshold(&self) -> Option<f32> {
        number(self.metadata_value(NULL_THRESHOLD)?)
    }

    /// What turns a `null_diff` into a probability, where the file has it (`answerable_slope` and
    /// `answerable_intercept` of its metadata).
    pub fn answerable(&self) -> Option<Answerable> {
        Answerable::of(self.metadata())
    }
}

impl AnswerOptions {
    /// The defaults, with the null threshold that the model's file recommends, if it recommends one.
    pub fn for_model(model: &Model<'_>) -> Self {
        let default = Self::default();
        Self { null_threshold: model.null_threshold().unwrap_or(default.null_threshold), ..default }
    }
}

fn value<'m>(metadata: &'m str, key: &str) -> Option<&'m str> {
    let mut lines = metadata.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(name, _)| name.trim() == key).map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::{Answerable, value};

    #[test]
    fn a_value_is_found_by_its_whole_key() {
        let metadata =
            "f1: 80\nnull_threshold_note: 1: 2\n null_threshold : -3.5 \nnull_threshold: 7\nbare\n";
        assert_eq!(value(metadata, "null_threshold"), Some("-3.5"));
        assert_eq!(value(metadata, "null_threshold_note"), Some("1: 2"));
        assert_eq!(value(metadata, "bare"), None);
        assert_eq!(value("", ""), None);
    }

    #[test]
    fn both_numbers_or_nothing() {
        let of = |metadata: &str| Answerable::of(metadata).map(|a| (a.slope, a.intercept));
        assert_eq!(of("answerable_slope: -0.5\nanswerable_intercept: 1"), Some((-0.5, 1.0)));
        assert_eq!(of("answerable_slope: -0.5"), None);
        assert_eq!(of("answerable_slope: -0.5\nanswerable_intercept: high"), None);
    }

    #[test]
    fn the_probability_is_the_logistic_function() {
        let fitted = Answerable { slope: -0.5, intercept: 1.0 };
        for step in -400..=400i16 {
            let null_diff = f32::from(step) / 4.0;
            let exact = 1.0 / (1.0 + (0.5 * f64::from(null_diff) - 1.0).exp());
            let got = f64::from(fitted.probability(null_diff));
            assert!((got - exact).abs() < 1e-6, "{null_diff}: {got} for {exact}");
        }
        assert_eq!(fitted.probability(2.0), 0.5);
        assert_eq!(fitted.probability(f32::INFINITY), 0.0);
        assert_eq!(fitted.probability(f32::NEG_INFINITY), 1.0);
        assert!(fitted.probability(f32::NAN).is_nan());
    }
}
