//! Products in 16 bits over f32 weights: f16 takes on a CPU the path that bf16 takes on a GPU; bf16 its own, where the CPU
//! has the instructions.

mod common;

use anyhow::Result;
use blockspan_kernels::dense_bf16::Bf16Products;
use blockspan_trainer::model::{BertForQuestionAnswering, Input, Variables};
use blockspan_trainer::train::optimizer::{AdamW, AdamWOptions, Gradients};
use candle_core::{DType, Device, Tensor};

fn input() -> Result<Input> {
    let ids = (0..20u32).map(|i| i * 7 % 32).collect();
    let types = (0..20).map(|i| u32::from(i % 10 >= 4)).collect();
    Input::new(ids, types, vec![1.0; 20], 2, &Device::Cpu)
}

fn scalar(model: &BertForQuestionAnswering) -> Result<Tensor> {
    let output = model.forward(&input()?)?;
    assert_eq!(output.start_logits.dtype(), DType::F32);
    Ok((output.start_logits.sqr()?.mean_all()? + output.end_logits.sqr()?.mean_all()?)?)
}

#[test]
fn weights_and_gradients_stay_f32_and_close_to_those_of_f32_products() -> Result<()> {
    close_to_f32(DType::F16)?;
    if Bf16Products::vectorized().is_some() {
        close_to_f32(DType::BF16)?;
    }
    Ok(())
}

fn close_to_f32(dtype: DType) -> Result<()> {
    let root = tempfile::tempdir()?;
    let config = common::write_base(root.path(), 1);
    let parameters = common::random_parameters(&config, 1);
    let variables = Variables::trained(&config, &parameters, &Device::Cpu, |_| true)?;
    let model = || BertForQuestionAnswering::new(&config, variables.builder());
    let (whole, half) = (model()?, model()?.with_dtype(dtype)?);
    let (expected, value) = (scalar(&whole)?, scalar(&half)?);
    let (a, b) = (expected.to_scalar::<f32>()?, value.to_scalar::<f32>()?);
    assert!(a != b && (a - b).abs() < 1e-2 * a.abs(), "{a} in f32, {b} in {dtype:?}");
    let (expected, store) = (expected.backward()?, value.backward()?);
    for (name, var) in variables.vars() {
        let gradient = |store: &candle_core::backprop::GradStore| -> Result<Vec<f32>> {
            Ok(store.get(var).expect(name).flatten_all()?.to_vec1::<f32>()?)
        };
        let (expected, actual) = (gradient(&expected)?, gradient(&store)?);
        let scale = expected.iter().fold(1e-2f32, |max, g| max.max(g.abs()));
        for (e, a) in expected.iter().zip(&actual) {
            assert!((e - a).abs() < 5e-2 * scale, "{name}: {a}, in f32 {e}");
        }
    }
    // The optimizer changes the f32 masters, by less than 16 bits could tell.
    let before = variables.get("qa_outputs.weight")?.flatten_all()?.to_vec1::<f32>()?;
    let mut optimizer = AdamW::new(variables.vars(), AdamWOptions::default())?;
    let mut gradients = Gradients::default();
    gradients.add(optimizer.vars(), store)?;
    optimizer.step(&gradients, 1e-6, 1.0)?;
    let after = variables.get("qa_outputs.weight")?.flatten_all()?.to_vec1::<f32>()?;
    assert!(before.iter().zip(&after).all(|(b, a)| a != b && (a - b).abs() < 2e-6));
    Ok(())
}
