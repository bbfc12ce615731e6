//! Every parameter receives a gradient: nothing in the graph stops it.

mod common;

use std::collections::BTreeMap;

use anyhow::Result;
use blockspan_squad::Dataset;
use blockspan_trainer::features::{Batch, Labels, WindowOptions, features};
use blockspan_trainer::model::{BertForQuestionAnswering, Variables};
use blockspan_trainer::tokenizer::Tokenizer;
use blockspan_trainer::train::loss::{Weights, loss};
use candle_core::{Device, Tensor};

const WEIGHTS: Weights = Weights { distill: 0.8, null_distill: 0.8, temperature: 2.0, hidden: 1.0 };

struct Setup {
    config: blockspan_trainer::config::Config,
    variables: Variables,
    batch: Batch,
}

fn setup() -> Result<Setup> {
    let root = tempfile::tempdir()?;
    let config = common::write_base(root.path(), 1);
    let tokenizer = Tokenizer::read(&root.path().join("base"))?;
    let dataset = Dataset::parse(common::DATA.as_bytes(), "data.json")?;
    let windows =
        features(&dataset, &tokenizer, WindowOptions { max_seq_len: 24, doc_stride: 8 }, Labels::Train)?;
    let all: Vec<usize> = (0..windows.len()).collect();
    let batch = Batch::new(&windows, &all, tokenizer.pad, &Device::Cpu)?;
    let variables =
        Variables::trained(&config, &common::random_parameters(&config, 1), &Device::Cpu, |_| true)?;
    Ok(Setup { config, variables, batch })
}

/// The gradient of `scalar` by each parameter.
fn gradients(setup: &Setup, scalar: &Tensor) -> Result<BTreeMap<String, Vec<f32>>> {
    let gradients = scalar.backward()?;
    setup
        .variables
        .vars()
        .map(|(name, var)| {
            let gradient = gradients.get(var).unwrap_or_else(|| panic!("{name} received no gradient"));
            Ok((name.to_owned(), gradient.flatten_all()?.to_vec1()?))
        })
        .collect()
}

#[test]
fn every_parameter_receives_a_finite_non_zero_gradient() -> Result<()> {
    let setup = setup()?;
    for quantized in [false, true] {
        let model = BertForQuestionAnswering::new(&setup.config, setup.variables.builder())?;
        let output = model.with_quantization(quantized).forward(&setup.batch.input)?;
        // Squares, not the training loss: that ignores what adds the same to all logits (the last biases).
        let squares = (output.start_logits.sqr()?.mean_all()? + output.end_logits.sqr()?.mean_all()?)?;
        let gradients = gradients(&setup, &squares)?;
        assert_eq!(gradients.len(), setup.config.parameters().len());
        for (name, gradient) in gradients {
            assert!(gradient.iter().all(|g| g.is_finite()), "{name} has a gradient that is not finite");
            let largest = gradient.iter().fold(0.0f32, |max, g| max.max(g.abs()));
            if name.ends_with("self.key.bias") {
                // It adds the same to all scores of a query, which softmax ignores: 0 but for rounding.
                assert!(largest < 1e-6, "{name}: {largest}");
            } else {
                assert!(largest > 1e-5, "{name}: {largest}");
            }
        }
    }
    Ok(())
}

#[test]
fn a_pruned_weight_receives_none() -> Result<()> {
    let setup = setup()?;
    let name = "bert.encoder.layer.1.intermediate.dense.weight".to_owned();
    let weight = setup.variables.get(&name)?;
    let mask: Vec<f32> = (0..weight.elem_count()).map(|i| if i % 3 == 0 { 0.0 } else { 1.0 }).collect();
    let masks = [(name.clone(), Tensor::from_slice(&mask, weight.shape(), &Device::Cpu)?)].into();
    let mut model = BertForQuestionAnswering::new(&setup.config, setup.variables.builder())?;
    model.set_masks(&masks);
    let output = model.forward(&setup.batch.input)?;
    let gradient = &gradients(&setup, &loss(&output, None, &setup.batch, WEIGHTS)?)?[&name];
    assert!(gradient.iter().zip(&mask).all(|(g, m)| (*m != 0.0) || *g == 0.0));
    assert!(gradient.iter().filter(|g| **g != 0.0).count() > gradient.len() / 3);
    // Masks that are set later replace these.
    model.set_masks(&BTreeMap::new());
    let output = model.forward(&setup.batch.input)?;
    let gradient = &gradients(&setup, &loss(&output, None, &setup.batch, WEIGHTS)?)?[&name];
    assert!(gradient.iter().zip(&mask).any(|(g, m)| *m == 0.0 && *g != 0.0));
    Ok(())
}

#[test]
fn a_teacher_is_not_trained_and_equal_hidden_states_cost_nothing() -> Result<()> {
    let setup = setup()?;
    let model = BertForQuestionAnswering::new(&setup.config, setup.variables.builder())?;
    let frozen = Variables::frozen(&setup.config, common::random_parameters(&setup.config, 1), &Device::Cpu)?;
    let teacher = BertForQuestionAnswering::new(&setup.config, frozen.builder())?;
    let (output, target) = (model.forward(&setup.batch.input)?, teacher.forward(&setup.batch.input)?);
    assert!(!target.start_logits.track_op());
    let weights = Weights { distill: 1.0, null_distill: 1.0, ..WEIGHTS };
    let value = loss(&output, Some(&target), &setup.batch, weights)?.to_scalar::<f32>()?;
    assert!(value.abs() < 1e-6, "{value}");
    Ok(())
}

#[test]
fn padding_changes_nothing() -> Result<()> {
    let setup = setup()?;
    let model = BertForQuestionAnswering::new(&setup.config, setup.variables.builder())?;
    let padded = model.forward(&setup.batch.input)?;
    let lengths: Vec<usize> =
        setup.batch.input.attention_mask.sum(1)?.to_vec1::<f32>()?.iter().map(|&n| n as usize).collect();
    assert!(lengths.iter().any(|&n| n < padded.start_logits.dims()[1]), "nothing is padded");
    for (row, &tokens) in lengths.iter().enumerate() {
        let cut = |x: &Tensor| x.narrow(0, row, 1)?.narrow(1, 0, tokens)?.contiguous();
        let input = blockspan_trainer::model::Input {
            input_ids: cut(&setup.batch.input.input_ids)?,
            token_type_ids: cut(&setup.batch.input.token_type_ids)?,
            attention_mask: cut(&setup.batch.input.attention_mask)?,
        };
        let alone = model.forward(&input)?.start_logits.flatten_all()?.to_vec1::<f32>()?;
        let together = cut(&padded.start_logits)?.flatten_all()?.to_vec1::<f32>()?;
        for (a, b) in alone.iter().zip(&together) {
            assert!((a - b).abs() < 1e-5, "row {row}: {a} alone, {b} in the batch");
        }
    }
    Ok(())
}
