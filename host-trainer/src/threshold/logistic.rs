//! A probability from a score.

/// The most steps of Newton's method; some ten are usual.
const MOST_STEPS: usize = 100;

/// The slope and the intercept of the logistic function 1 / (1 + e^−(slope · x + intercept)) that makes these examples
/// likeliest: values x, and whether what is asked was true. Both kinds must be there.
///
/// The targets are not 0 and 1 but those of J. Platt (Probabilistic outputs for support vector machines, 1999), so that
/// kinds that are wholly apart do not make the slope infinite; Newton's method as H.-T. Lin, C.-J. Lin and R. Weng
/// describe it (A note on Platt's probabilistic outputs, 2007).
pub(super) fn fit(examples: &[(f64, bool)]) -> (f64, f64) {
    let count = examples.len().max(1) as f64;
    let mean = examples.iter().map(|(x, _)| x).sum::<f64>() / count;
    let variance = examples.iter().map(|(x, _)| (x - mean).powi(2)).sum::<f64>() / count;
    let unit = if variance > 0.0 { variance.sqrt() } else { 1.0 };
    let yes = examples.iter().filter(|(_, truth)| *truth).count() as f64;
    let no = count - yes;
    let (high, low) = ((yes + 1.0) / (yes + 2.0), 1.0 / (no + 2.0));
    let scaled: Vec<(f64, f64)> =
        examples.iter().map(|&(x, truth)| ((x - mean) / unit, if truth { high } else { low })).collect();
    // ln(1 + e^z) − t · z, without overflow.
    let loss = |a: f64, b: f64| -> f64 {
        let one = |&(x, target): &(f64, f64)| {
            let z = a * x + b;
            z.max(0.0) + (-z.abs()).exp().ln_1p() - target * z
        };
        scaled.iter().map(one).sum()
    };
    let (mut a, mut b) = (0.0, ((yes + 1.0) / (no + 1.0)).ln());
    let mut now = loss(a, b);
    for _ in 0..MOST_STEPS {
        let (mut gradient, mut curvature) = ([0.0; 2], [1e-12, 0.0, 1e-12]);
        for &(x, target) in &scaled {
            let p = 1.0 / (1.0 + (-(a * x + b)).exp());
            let (error, weight) = (p - target, p * (1.0 - p));
            gradient[0] += error * x;
            gradient[1] += error;
            curvature[0] += weight * x * x;
            curvature[1] += weight * x;
            curvature[2] += weight;
        }
        let [xx, x, one] = curvature;
        let determinant = xx * one - x * x;
        let step = [
            (one * gradient[0] - x * gradient[1]) / determinant,
            (xx * gradient[1] - x * gradient[0]) / determinant,
        ];
        // Half a step where a whole one goes too far.
        let lengths =
            core::iter::successors(Some(1.0), |length: &f64| (*length > 1e-9).then_some(length / 2.0));
        let tried = lengths.map(|length| (a - length * step[0], b - length * step[1]));
        let Some((next, better)) =
            tried.map(|next| (next, loss(next.0, next.1))).find(|&(_, loss)| loss < now)
        else {
            break;
        };
        let gained = now - better;
        ((a, b), now) = (next, better);
        if gained < 1e-12 * count {
            break;
        }
    }
    (a / unit, b - a * mean / unit)
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::fit;

    #[test]
    fn the_function_that_drew_the_examples_is_found() {
        let mut rng = StdRng::seed_from_u64(1);
        for (slope, intercept) in [(-0.4, -2.0), (1.5, 0.0), (-3.0, 7.0)] {
            let examples: Vec<(f64, bool)> = (0..200_000)
                .map(|_| {
                    let x = rng.random_range(-10.0..10.0) - intercept / slope;
                    (x, rng.random_bool(1.0 / (1.0 + f64::exp(-(slope * x + intercept)))))
                })
                .collect();
            let (a, b) = fit(&examples);
            assert!((a - slope).abs() < 0.05 * slope.abs(), "{a}, expected {slope}");
            assert!((b - intercept).abs() < 0.15, "{b}, expected {intercept}");
        }
    }

    #[test]
    fn kinds_that_are_wholly_apart_give_a_finite_slope() {
        let examples: Vec<(f64, bool)> = (0..50).map(|x| (f64::from(x), x < 20)).collect();
        let (a, b) = fit(&examples);
        let p = |x: f64| 1.0 / (1.0 + (-(a * x + b)).exp());
        assert!(a < 0.0 && a.is_finite() && b.is_finite(), "{a} {b}");
        assert!(p(0.0) > 0.9 && p(49.0) < 0.1 && (p(19.5) - 0.5).abs() < 0.2, "{a} {b}");
        // One value for all tells nothing.
        let (a, b) = fit(&[(1.0, true), (1.0, false), (1.0, true)]);
        assert!(a.abs() < 1e-6 && (1.0 / (1.0 + (-b).exp()) - 0.6).abs() < 0.07, "{a} {b}");
    }
}
