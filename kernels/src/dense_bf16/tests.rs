use std::vec;
use std::vec::Vec;

use super::*;

/// Numbers without order, the same in each run.
struct Numbers(u64);

impl Numbers {
    fn bits(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// From −1 to below 1.
    fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    /// Of any exponent, subnormal numbers too, such that no sum overflows.
    fn any(&mut self) -> f32 {
        let bits = (self.bits() >> 32) as u32;
        let exponent = (bits >> 23 & 0xff) % 0xb0;
        f32::from_bits(bits & 0x807f_ffff | (exponent << 23))
    }

    fn take(&mut self, len: usize, any: bool) -> Vec<f32> {
        (0..len).map(|_| if any { self.any() } else { self.unit() }).collect()
    }
}

/// The matrix in its values, or the one whose transposed matrix they hold.
fn matrix(values: &[f32], [rows, columns]: [usize; 2], transposed: bool) -> Result<Matrix<'_>, ShapeError> {
    if transposed {
        Ok(Matrix::new(values, [columns, rows], [rows, 1])?.t())
    } else {
        Matrix::new(values, [rows, columns], [columns, 1])
    }
}

fn packed(how: Bf16Products, b: Matrix<'_>) -> Result<Vec<u32>, ShapeError> {
    let shape = PanelShape::new(b.shape());
    // What was there before must not show.
    let mut panels = vec![0xffff_ffff; shape.len()?];
    let len = shape.panel_len()?.max(1);
    panels.chunks_mut(len).enumerate().try_for_each(|(panel, out)| how.pack_panel(b, panel, out))?;
    Ok(panels)
}

fn product(how: Bf16Products, a: Matrix<'_>, b: Matrix<'_>) -> Result<Vec<f32>, ShapeError> {
    let panels = packed(how, b)?;
    let b = PackedMatrix::new(&panels, PanelShape::new(b.shape()))?;
    let mut out = vec![f32::NAN; a.shape()[0] * b.shape.columns];
    how.product(a, b, &mut out)?;
    Ok(out)
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn rounding_takes_the_nearest_and_of_two_the_even() {
    let cases = [
        (0x3f80_0000, 0x3f80),
        (0x3f80_7fff, 0x3f80),
        (0x3f80_8000, 0x3f80),
        (0x3f80_8001, 0x3f81),
        (0x3f81_8000, 0x3f82),
        (0xbf81_8000, 0xbf82),
        (0x7f7f_ffff, 0x7f80),
        (0x7f80_0000, 0x7f80),
        (0x807f_ffff, 0x8000),
        (0x0080_0000, 0x0080),
    ];
    for (bits, rounded) in cases {
        assert_eq!(scalar::round(f32::from_bits(bits)), rounded, "{bits:#x}");
    }
    assert!(f32::from_bits(u32::from(scalar::round(f32::from_bits(0x7f80_0001))) << 16).is_nan());
}

#[test]
fn the_second_product_of_a_pair_is_added_first() {
    let pair = |low: f32, high: f32| low.to_bits() >> 16 | high.to_bits();
    // 2³⁰ + 1 − 2³⁰: the 1 is lost where the large numbers come first and second.
    let large = (1 << 15) as f32;
    assert_eq!(scalar::add_pair(1.0, pair(large, -large), pair(large, large)), 0.0);
    assert_eq!(scalar::add_pair(-large * large, pair(1.0, large), pair(1.0, large)), 1.0);
    assert_eq!(scalar::add_pair(-large * large, pair(large, 1.0), pair(large, 1.0)), 0.0);
}

#[test]
fn the_definition_multiplies() -> Result<(), ShapeError> {
    let (a, b) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0, 0.0, -1.0, 2.0, 0.5, 3.0]);
    let expected = [0.5, 13.0, 2.0, 28.0];
    let how = Bf16Products::scalar();
    assert_eq!(product(how, matrix(&a, [2, 3], false)?, matrix(&b, [3, 2], false)?)?, expected);
    let (a, b) = ([1.0, 4.0, 2.0, 5.0, 3.0, 6.0], [1.0, -1.0, 0.5, 0.0, 2.0, 3.0]);
    assert_eq!(product(how, matrix(&a, [2, 3], true)?, matrix(&b, [3, 2], true)?)?, expected);
    Ok(())
}

#[test]
fn vector_instructions_give_the_bits_of_the_definition() -> Result<(), ShapeError> {
    let Some(how) = Bf16Products::vectorized() else { return Ok(()) };
    let mut numbers = Numbers(1);
    let few = [0, 1, 2, 7, 8, 9, 15, 16, 17, 33];
    let rows = few.map(|rows| [rows, 5, 20]);
    let depths = [0, 1, 2, 3, 31, 32, 33, 34, 63, 767, 768, 769, 1537].map(|depth| [9, depth, 17]);
    let columns = [0, 1, 15, 16, 17, 31, 32, 33, 47, 48, 49, 64, 95, 96, 97].map(|columns| [10, 6, columns]);
    let large = [[127, 40, 50], [128, 3, 48], [129, 771, 49], [260, 66, 100]];
    for [rows, depth, columns] in [&rows[..], &depths, &columns, &large].concat() {
        for case in 0..8 {
            let [any, transpose_a, transpose_b] = [1, 2, 4].map(|bit| case & bit != 0);
            let (a, b) = (numbers.take(rows * depth, any), numbers.take(depth * columns, any));
            let (a, b) =
                (matrix(&a, [rows, depth], transpose_a)?, matrix(&b, [depth, columns], transpose_b)?);
            let name = std::format!("{rows} × {depth} × {columns}, case {case}");
            let scalar = Bf16Products::scalar();
            assert_eq!(packed(how, b)?, packed(scalar, b)?, "{name}");
            assert_eq!(bits(&product(how, a, b)?), bits(&product(scalar, a, b)?), "{name}");
        }
    }
    Ok(())
}

#[test]
fn special_values_are_multiplied_as_defined() -> Result<(), ShapeError> {
    let Some(how) = Bf16Products::vectorized() else { return Ok(()) };
    let special = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        f32::MAX,
        f32::MIN,
        f32::MIN_POSITIVE,
        -f32::MIN_POSITIVE,
        f32::MIN_POSITIVE / 2.0,
        f32::from_bits(1),
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        f32::from_bits(0x7f80_0001),
        1e-20,
        -1e-20,
        1.0 + f32::EPSILON,
    ];
    let n = special.len();
    // Each with each, alone and beside another.
    for depth in [1, 2] {
        let rows: Vec<f32> = (0..n * depth).map(|i| special[i / depth * (i % depth * 4 + 1) % n]).collect();
        let (a, b) = (matrix(&rows, [n, depth], false)?, matrix(&rows, [depth, n], true)?);
        let pairs = product(how, a, b)?.into_iter().zip(product(Bf16Products::scalar(), a, b)?);
        for (index, (vector, scalar)) in pairs.enumerate() {
            let equal = vector.to_bits() == scalar.to_bits() || vector.is_nan() && scalar.is_nan();
            assert!(equal, "{depth}: {vector} and {scalar} of {} and {}", index / n, index % n);
        }
    }
    Ok(())
}

#[test]
fn rows_may_be_multiplied_in_parts() -> Result<(), ShapeError> {
    let mut numbers = Numbers(2);
    let (a, b) = (numbers.take(21 * 12, false), numbers.take(12 * 50, false));
    let (a, b) = (matrix(&a, [21, 12], true)?, matrix(&b, [12, 50], false)?);
    for how in [Some(Bf16Products::scalar()), Bf16Products::vectorized()].into_iter().flatten() {
        let mut parts = product(how, a.rows(0..5), b)?;
        parts.extend(product(how, a.rows(5..19), b)?);
        parts.extend(product(how, a.rows(19..40), b)?);
        assert_eq!(parts, product(how, a, b)?);
    }
    Ok(())
}

#[test]
fn what_does_not_fit_is_refused() -> Result<(), ShapeError> {
    let values = [0.0; 6];
    assert!(Matrix::new(&values, [2, 3], [3, 1]).is_ok());
    assert!(Matrix::new(&values, [2, 3], [4, 1]).is_err());
    assert!(Matrix::new(&values, [3, 2], [1, 3]).is_ok());
    assert!(Matrix::new(&values, [3, 2], [1, 4]).is_err());
    assert!(Matrix::new(&values, [2, 2], [3, 2]).is_err());
    assert!(Matrix::new(&values, [2, usize::MAX], [usize::MAX, 1]).is_err());
    assert!(Matrix::new(&[], [0, 3], [3, 1]).is_ok());
    assert!(PanelShape::new([usize::MAX, usize::MAX]).len().is_err());
    let (a, b) = (matrix(&values, [2, 3], false)?, matrix(&values, [3, 2], false)?);
    let shape = PanelShape::new(b.shape());
    let mut panel = vec![0; shape.len()?];
    for how in [Some(Bf16Products::scalar()), Bf16Products::vectorized()].into_iter().flatten() {
        assert!(how.pack_panel(b, 1, &mut panel).is_err());
        assert!(how.pack_panel(b, 0, &mut panel[1..]).is_err());
        assert!(how.pack_panel(b, 0, &mut panel).is_ok());
        assert!(PackedMatrix::new(&panel[1..], shape).is_err());
        let packed = PackedMatrix::new(&panel, shape)?;
        assert!(how.product(a, packed, &mut [0.0; 3]).is_err());
        assert!(how.product(a, packed, &mut [0.0; 5]).is_err());
        assert!(how.product(a.t(), packed, &mut [0.0; 6]).is_err());
        assert!(how.product(a, packed, &mut [0.0; 4]).is_ok());
    }
    Ok(())
}
