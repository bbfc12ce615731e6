//! The fused operations against their definitions: values, gradients, and finite differences.

use candle_core::{DType, Device, Result, Tensor, Var};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use blockspan_kernels::dense_bf16::Bf16Products;
use blockspan_kernels::scalar::Scalar;
use blockspan_kernels::{Kernels, math};

use super::{AttentionOptions, Dropout, Products, composed};
use crate::quantization::{Grid, quantize_weights};

/// Values between −1 and 1, the same on every run.
fn random(shape: &[usize], seed: u64) -> Result<Var> {
    let mut rng = StdRng::seed_from_u64(seed);
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| rng.random_range(-1.0..1.0)).collect();
    Var::from_tensor(&Tensor::from_vec(values, shape, &Device::Cpu)?)
}

fn flat(tensor: &Tensor) -> Result<Vec<f32>> {
    tensor.flatten_all()?.to_vec1()
}

fn assert_close(name: &str, actual: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(actual.len(), expected.len(), "{name}");
    let scale = expected.iter().fold(1.0f32, |max, v| max.max(v.abs()));
    for (i, (a, e)) in actual.iter().zip(expected).enumerate() {
        assert!((a - e).abs() <= tolerance * scale, "{name}[{i}]: {a}, expected {e}");
    }
}

type Function<'a> = &'a dyn Fn(&[Tensor]) -> Result<Tensor>;

/// A scalar of the result that weighs every value differently, so that no gradient cancels.
fn weighed(f: Function<'_>, inputs: &[Var]) -> Result<Tensor> {
    let tensors: Vec<Tensor> = inputs.iter().map(|v| v.as_tensor().clone()).collect();
    let result = f(&tensors)?;
    let weights = random(result.dims(), 99)?;
    (result * weights.as_detached_tensor())?.sum_all()
}

/// Compares `fused` with `definition` in value and in the gradient of every input, then the fused
/// gradient with a central difference at a few places of every input.
fn check(name: &str, inputs: &[Var], fused: Function<'_>, definition: Function<'_>) -> Result<()> {
    check_against(name, inputs, fused, definition, fused)
}

/// As [`check`], with central differences of `smooth`: for a function that rounds, what it is straight through.
fn check_against(
    name: &str,
    inputs: &[Var],
    fused: Function<'_>,
    definition: Function<'_>,
    smooth: Function<'_>,
) -> Result<()> {
    let tensors: Vec<Tensor> = inputs.iter().map(|v| v.as_tensor().clone()).collect();
    assert_close(name, &flat(&fused(&tensors)?)?, &flat(&definition(&tensors)?)?, 2e-6);
    let (ours, theirs) = (weighed(fused, inputs)?.backward()?, weighed(definition, inputs)?.backward()?);
    for (index, input) in inputs.iter().enumerate() {
        let label = format!("{name}, gradient of input {index}");
        let gradient = flat(ours.get(input).expect(&label))?;
        assert_close(&label, &gradient, &flat(theirs.get(input).expect(&label))?, 1e-5);
        assert!(gradient.iter().any(|g| g.abs() > 1e-4), "{label} is zero");
        finite_differences(&label, inputs, index, &gradient, smooth)?;
    }
    Ok(())
}

fn finite_differences(
    label: &str,
    inputs: &[Var],
    index: usize,
    gradient: &[f32],
    f: Function<'_>,
) -> Result<()> {
    let input = &inputs[index];
    let (original, step) = (input.copy()?, 1e-2f32);
    let values = flat(&original)?;
    for at in (0..values.len()).step_by(values.len().div_ceil(5)) {
        let at_offset = |offset: f32| -> Result<f64> {
            let mut moved = values.clone();
            moved[at] += offset;
            input.set(&Tensor::from_vec(moved, original.shape(), &Device::Cpu)?)?;
            Ok(f64::from(weighed(f, inputs)?.to_scalar::<f32>()?))
        };
        let difference = (at_offset(step)? - at_offset(-step)?) / f64::from(2.0 * step);
        let error = (difference - f64::from(gradient[at])).abs();
        assert!(
            error < 1e-2 * difference.abs().max(0.3),
            "{label}[{at}]: {}, by differences {difference}",
            gradient[at]
        );
    }
    input.set(&original)
}

fn options(heads: usize, dropout: Option<Dropout>, quantized: bool) -> AttentionOptions {
    AttentionOptions { heads, dropout, quantized, ..AttentionOptions::default() }
}

#[test]
fn linear() -> Result<()> {
    // 70 rows: more than one task of rows.
    let inputs = [random(&[2, 35, 12], 1)?, random(&[8, 12], 2)?, random(&[8], 3)?];
    check("linear", &inputs, &|t| super::linear(&t[0], &t[1], &t[2], Products::F32), &|t| {
        composed::linear(&t[0], &t[1], &t[2])
    })
}

#[test]
fn products_in_bf16_are_close_to_those_in_f32() -> Result<()> {
    let bf16 = Products::Bf16(Bf16Products::vectorized().unwrap_or_else(Bf16Products::scalar));
    let near = |name: &str, inputs: &[Var], rounded: Function<'_>, exact: Function<'_>| -> Result<()> {
        let tensors: Vec<Tensor> = inputs.iter().map(|v| v.as_tensor().clone()).collect();
        let (ours, theirs) = (flat(&rounded(&tensors)?)?, flat(&exact(&tensors)?)?);
        assert!(ours != theirs, "{name} is not rounded");
        assert_close(name, &ours, &theirs, 1e-2);
        let (ours, theirs) = (weighed(rounded, inputs)?.backward()?, weighed(exact, inputs)?.backward()?);
        for (index, input) in inputs.iter().enumerate() {
            let label = format!("{name}, gradient of input {index}");
            let [ours, theirs] = [&ours, &theirs].map(|store| store.get(input).expect(&label));
            assert_close(&label, &flat(ours)?, &flat(theirs)?, 1e-2);
        }
        Ok(())
    };
    let inputs = [random(&[2, 35, 12], 1)?, random(&[8, 12], 2)?, random(&[8], 3)?];
    let linear = |products| move |t: &[Tensor]| super::linear(&t[0], &t[1], &t[2], products);
    near("linear", &inputs, &linear(bf16), &linear(Products::F32))?;
    let inputs = [31, 32, 33].map(|seed| random(&[2, 9, 64], seed));
    let [q, k, v] = inputs;
    let bias = Tensor::zeros((2, 9), DType::F32, &Device::Cpu)?;
    let attention = |products| {
        let bias = &bias;
        move |t: &[Tensor]| {
            super::attention(
                &t[0],
                &t[1],
                &t[2],
                bias,
                AttentionOptions { products, ..options(2, None, false) },
            )
        }
    };
    near("attention", &[q?, k?, v?], &attention(bf16), &attention(Products::F32))
}

#[test]
fn what_is_not_trained_gets_no_gradient() -> Result<()> {
    let (x, w, b) = (random(&[3, 4], 1)?.as_detached_tensor(), random(&[5, 4], 2)?, random(&[5], 3)?);
    let store = super::linear(&x, &w, &b, Products::F32)?.sum_all()?.backward()?;
    assert!(store.get(&x).is_none() && store.get(&w).is_some() && store.get(&b).is_some());
    Ok(())
}

#[test]
fn gelu() -> Result<()> {
    let wide = Var::from_tensor(&(random(&[3, 50], 4)?.as_tensor() * 5.0)?)?;
    // The engine's values beside those of its kernels, with the exact gradient.
    let quantized = super::gelu(wide.as_tensor(), true)?;
    let expected: Vec<f32> = flat(&wide)?.into_iter().map(math::gelu).collect();
    assert_eq!(flat(&quantized)?, expected);
    let gradient = |quantized| -> Result<Vec<f32>> {
        let gradients = super::gelu(&wide, quantized)?.sum_all()?.backward()?;
        flat(gradients.get(&wide).expect("a gradient"))
    };
    assert_eq!(gradient(true)?, gradient(false)?);
    check("gelu", &[wide], &|t| super::gelu(&t[0], false), &|t| composed::gelu(&t[0]))
}

#[test]
fn layer_norm() -> Result<()> {
    let inputs = [random(&[2, 40, 36], 5)?, random(&[36], 6)?, random(&[36], 7)?];
    check("layer_norm", &inputs, &|t| super::layer_norm(&t[0], &t[1], &t[2], 1e-12), &|t| {
        composed::layer_norm(&t[0], &t[1], &t[2], 1e-12)
    })
}

#[test]
fn attention() -> Result<()> {
    let (batch, tokens, heads, head) = (3, 7, 2, 4);
    let shape = [batch, tokens, heads * head];
    let inputs = [random(&shape, 8)?, random(&shape, 9)?, random(&shape, 10)?];
    // The second sequence has 5 tokens, the third 1.
    let bias: Vec<f32> = [7, 5, 1]
        .iter()
        .flat_map(|&len| (0..tokens).map(move |i| if i < len { 0.0 } else { -1e9 }))
        .collect();
    let bias = Tensor::from_vec(bias, (batch, tokens), &Device::Cpu)?;
    for dropout in [None, Dropout::new(0.3, 5)] {
        check(
            "attention",
            &inputs,
            &|t| super::attention(&t[0], &t[1], &t[2], &bias, options(heads, dropout, false)),
            &|t| composed::attention(&t[0], &t[1], &t[2], &bias, heads, dropout, false),
        )?;
    }
    Ok(())
}

#[test]
fn quantized_rows() -> Result<()> {
    // 90 rows, more than one task, one of them all zero.
    let x = random(&[3, 30, 20], 21)?;
    let zeroed: Vec<f32> = flat(&x)?.iter().enumerate().map(|(i, v)| if i < 20 { 0.0 } else { *v }).collect();
    x.set(&Tensor::from_vec(zeroed, x.shape(), &Device::Cpu)?)?;
    for grid in [Grid::Weights, Grid::Activations, Grid::Gelu] {
        let before = flat(&x)?;
        if grid == Grid::Gelu {
            let results = before.iter().copied().map(math::gelu).collect();
            x.set(&Tensor::from_vec(results, x.shape(), &Device::Cpu)?)?;
        }
        let rounded = super::quantize_rows(&x, 20, grid)?;
        let mut expected = Vec::new();
        for row in before.chunks_exact(20) {
            let (steps, scale) = match grid {
                Grid::Weights => {
                    let (packed, scales) = quantize_weights(row, 20);
                    (packed.into_iter().map(i32::from).collect(), scales[0])
                }
                Grid::Activations => engine_steps(row, absmax(row)),
                Grid::Gelu => engine_gelu_steps(row),
            };
            expected.extend(steps.iter().map(|&step: &i32| step as f32 * scale));
        }
        assert_eq!(flat(&rounded)?, expected, "{grid:?}: not what pack or the engine makes of it");
        let offset = (rounded - x.as_tensor())?.detach();
        // Squared, so that the gradient depends on the rounded value.
        check_against(
            "quantize_rows",
            core::slice::from_ref(&x),
            &|t| super::quantize_rows(&t[0], 20, grid)?.sqr(),
            &|t| super::round::composed_rows(&t[0], 20, grid)?.sqr(),
            &|t| (&t[0] + &offset)?.sqr(),
        )?;
    }
    assert!(super::quantize_rows(&x, 7, Grid::Weights).is_err());
    Ok(())
}

fn absmax(row: &[f32]) -> f32 {
    row.iter().fold(0.0, |most, x| x.abs().max(most))
}

/// A token of these features, as the engine's kernels round it, and its scale.
fn engine_steps(row: &[f32], absmax: f32) -> (Vec<i32>, f32) {
    let (x, mut steps, mut scales) = (first_lane(row), vec![0; 16 * row.len()], [0f32; 16]);
    Scalar.quantize_rows(&x, &[absmax; 16], &mut steps, &mut scales).expect("shapes fit");
    (steps.into_iter().step_by(16).map(i32::from).collect(), scales[0])
}

/// GELU of these features, as the engine's kernels round it, and its scale.
fn engine_gelu_steps(row: &[f32]) -> (Vec<i32>, f32) {
    let (x, mut steps, mut scales) = (first_lane(row), vec![0; 16 * row.len()], [0f32; 16]);
    let most = row.iter().fold(0f32, |most, &x| x.max(most));
    Scalar.quantize_gelu_rows(&x, &[most; 16], &mut steps, &mut scales).expect("shapes fit");
    let zero_point = math::gelu_zero_point(scales[0]);
    (steps.into_iter().step_by(16).map(|step| i32::from(step) + zero_point).collect(), scales[0])
}

/// A token of these features in the first of 16 lanes.
fn first_lane(row: &[f32]) -> Vec<f32> {
    row.iter().flat_map(|&x| [[x].as_slice(), &[0.0; 15]].concat()).collect()
}

#[test]
fn quantized_channels() -> Result<()> {
    let x = random(&[2, 9, 8], 22)?;
    // The second sequence has 4 tokens; what stands in its padding has no say.
    let bias: Vec<f32> = (0..18).map(|i| if i < 13 { 0.0 } else { -1e9 }).collect();
    let bias = Tensor::from_vec(bias, (2, 9), &Device::Cpu)?;
    let rounded = super::quantize_channels(&x, &bias)?;
    let (values, rounded_values) = (flat(&x)?, flat(&rounded)?);
    for channel in 0..8 {
        let of = |all: &[f32]| -> Vec<f32> { (9..13).map(|token| all[token * 8 + channel]).collect() };
        let row = of(&values);
        let (steps, scale) = engine_steps(&row, absmax(&row));
        let expected: Vec<f32> = steps.iter().map(|&step| step as f32 * scale).collect();
        assert_eq!(of(&rounded_values), expected, "channel {channel}");
    }
    let offset = (rounded - x.as_tensor())?.detach();
    check_against(
        "quantize_channels",
        &[x],
        &|t| super::quantize_channels(&t[0], &bias)?.sqr(),
        &|t| super::round::composed_channels(&t[0], &bias)?.sqr(),
        &|t| (&t[0] + &offset)?.sqr(),
    )
}

#[test]
fn quantized_attention() -> Result<()> {
    let shape = [2, 7, 4];
    // Queries long enough that probabilities differ.
    let q = Var::from_tensor(&(random(&shape, 23)?.as_tensor() * 3.0)?)?;
    let inputs = [q, random(&shape, 24)?, random(&shape, 25)?];
    let bias: Vec<f32> = (0..14).map(|i| if i < 12 { 0.0 } else { -1e9 }).collect();
    let bias = Tensor::from_vec(bias, (2, 7), &Device::Cpu)?;
    let scores = |q: &Tensor, k: &Tensor| q.matmul(&k.t()?)? * 0.5;
    let exact: Vec<f32> = flat(&scores(&inputs[0], &inputs[1])?)?;
    let per_step = 1.0 / (math::SCORE_STEPS * math::LOG2_E);
    let rounding =
        exact.iter().map(|score| (score / per_step).round() * per_step - score).collect::<Vec<_>>();
    let rounding = Tensor::from_vec(rounding, (2, 7, 7), &Device::Cpu)?;
    let probabilities = |q: &Tensor, k: &Tensor| -> Result<Tensor> {
        composed::softmax(&(scores(q, k)? + &rounding)?.broadcast_add(&bias.unsqueeze(1)?)?)
    };
    let exact = probabilities(&inputs[0], &inputs[1])?;
    let mut rounded = Vec::new();
    for row in flat(&exact)?.chunks_exact(7) {
        let most = row.iter().fold(0f32, |most, p| most.max(*p));
        let below = |p: f32| ((p / most).log2() * -math::SCORE_STEPS).round() as u16;
        let weight = |p, dither| f32::from(math::exp2_score(below(p), dither));
        let steps: Vec<f32> =
            row.iter().zip(math::DITHER.into_iter().cycle()).map(|(&p, d)| weight(p, d)).collect();
        rounded.extend(steps.iter().map(|step| step / steps.iter().sum::<f32>()));
    }
    let offset = (Tensor::from_vec(rounded, exact.shape(), &Device::Cpu)? - exact)?.detach();
    let largest = flat(&offset.abs()?)?.into_iter().fold(0f32, f32::max);
    assert!(largest > 2e-4, "nothing was rounded: {largest}");
    let smooth = |t: &[Tensor]| (probabilities(&t[0], &t[1])? + &offset)?.matmul(&t[2]);
    check_against(
        "quantized attention",
        &inputs,
        &|t| super::attention(&t[0], &t[1], &t[2], &bias, options(1, None, true)),
        &|t| composed::attention(&t[0], &t[1], &t[2], &bias, 1, None, true),
        &smooth,
    )?;
    check("quantized attention, straight through", &inputs, &smooth, &|t| {
        composed::attention(&t[0], &t[1], &t[2], &bias, 1, None, true)
    })
}

#[test]
fn dropout() -> Result<()> {
    // More than one part of 16,384 values.
    let input = random(&[40, 500], 16)?;
    let dropout = Dropout::new(0.25, 6).expect("a rate");
    let composed = |x: &Tensor| super::dropout::composed(x, dropout);
    check("dropout", &[input], &|t| super::dropout(&t[0], Some(dropout)), &|t| composed(&t[0]))
}

#[test]
fn padding_keys_are_ignored() -> Result<()> {
    let (q, k, v) = (random(&[1, 4, 4], 11)?, random(&[1, 4, 4], 12)?, random(&[1, 4, 4], 13)?);
    let bias = Tensor::new(&[[0f32, 0.0, -1e9, -1e9]], &Device::Cpu)?;
    let padded = super::attention(&q, &k, &v, &bias, options(1, None, false))?.narrow(1, 0, 2)?;
    let cut = |x: &Var| x.narrow(1, 0, 2)?.contiguous();
    let short =
        super::attention(&cut(&q)?, &cut(&k)?, &cut(&v)?, &bias.narrow(1, 0, 2)?, options(1, None, false))?;
    assert_close("padding", &flat(&padded)?, &flat(&short)?, 1e-6);
    Ok(())
}

#[test]
fn padding_changes_no_bit_of_what_a_window_gets() -> Result<()> {
    let (tokens, heads, head) = (45, 2, 32);
    for padded in [46, 64, 77, 130] {
        let inputs = [1, 2, 3].map(|seed| random(&[2, padded, heads * head], seed));
        let [q, k, v] = inputs;
        let (q, k, v) = (q?, k?, v?);
        let bias = |len: usize, width: usize| -> Vec<f32> {
            (0..width).map(|i| if i < len { 0.0 } else { -1e9 }).collect()
        };
        let both = Tensor::from_vec(
            [bias(tokens, padded), bias(padded, padded)].concat(),
            (2, padded),
            &Device::Cpu,
        )?;
        let in_batch = super::attention(&q, &k, &v, &both, options(heads, None, false))?;
        let alone = |x: &Tensor| x.narrow(0, 0, 1)?.narrow(1, 0, tokens)?.contiguous();
        let bias = Tensor::from_vec(bias(tokens, tokens), (1, tokens), &Device::Cpu)?;
        let expected =
            super::attention(&alone(&q)?, &alone(&k)?, &alone(&v)?, &bias, options(heads, None, false))?;
        let bits = |x: &Tensor| -> Result<Vec<u32>> { Ok(flat(x)?.into_iter().map(f32::to_bits).collect()) };
        assert!(bits(&alone(&in_batch)?)? == bits(&expected)?, "{padded} tokens");
    }
    Ok(())
}

#[test]
fn relative_error() -> Result<()> {
    let input = random(&[2, 40, 12], 14)?;
    let target = random(&[2, 40, 12], 15)?.as_detached_tensor();
    let mask: Vec<f32> = (0..80).map(|i| if i % 7 == 3 { 0.0 } else { 1.0 }).collect();
    let mask = Tensor::from_vec(mask, (2, 40), &Device::Cpu)?;
    // The share is small next to the 900 values that it averages.
    let scaled = |x: Result<Tensor>| x? * 900.0;
    check("relative_error", &[input], &|t| scaled(super::relative_error(&t[0], &target, &mask)), &|t| {
        scaled(composed::relative_error(&t[0], &target, &mask))
    })
}

#[test]
fn shapes_that_do_not_fit_are_errors() -> Result<()> {
    let (x, w, b) = (random(&[2, 3], 1)?, random(&[4, 5], 2)?, random(&[4], 3)?);
    assert!(super::linear(&x, &w, &b, Products::F32).is_err());
    assert!(super::layer_norm(&x, &b, &b, 1e-12).is_err());
    let (q, bias) = (random(&[1, 2, 6], 4)?, random(&[1, 3], 5)?);
    assert!(super::attention(&q, &q, &q, &bias, options(2, None, false)).is_err());
    assert!(super::attention(&q, &q, &q, &bias, options(4, None, false)).is_err());
    Ok(())
}
