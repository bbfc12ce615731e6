//! What a network makes of a few windows of text, as a measure for smoothing and pruning.

use std::collections::BTreeMap;

use anyhow::Result;
use candle_core::Device;

use crate::features::{Batch, Feature, by_length};
use crate::model::{BertForQuestionAnswering, Input, Variables};
use crate::quantization::{Smoothing, layer_norm_before, smoothing_factors};

/// Windows that are read to measure activations: outliers are the same features in every text.
const SMOOTHING_WINDOWS: usize = 8;

/// Windows that the network reads at once for that.
const SMOOTHING_BATCH: usize = 4;

/// Batches of `count` windows, taken evenly from all, for measuring what a network makes of them.
///
/// # Errors
/// A failure of the device.
pub fn batches(
    features: &[Feature],
    count: usize,
    batch_size: usize,
    pad: u32,
    device: &Device,
) -> Result<Vec<Input>> {
    let count = count.min(features.len());
    let chosen: Vec<Feature> = (0..count).map(|i| features[i * features.len() / count].clone()).collect();
    let batches = by_length(&chosen, batch_size);
    batches.iter().map(|indices| Ok(Batch::new(&chosen, indices, pad, device)?.input)).collect()
}

/// The windows to measure activations by, taken evenly from all; see [`measure_smoothing`].
///
/// # Errors
/// A failure of the device.
pub fn smoothing_batches(features: &[Feature], pad: u32, device: &Device) -> Result<Vec<Input>> {
    batches(features, SMOOTHING_WINDOWS, SMOOTHING_BATCH, pad, device)
}

/// Takes `batches` through the network, whose weights are `variables`, and weighs each feature's largest value
/// against its largest weight.
///
/// # Errors
/// As for [`BertForQuestionAnswering::visit_inputs`].
pub fn measure_smoothing(
    model: &BertForQuestionAnswering,
    variables: &Variables,
    batches: &[Input],
) -> Result<Smoothing> {
    let mut factors = BTreeMap::new();
    model.visit_inputs(batches, |names, inputs| {
        let Some(norm) = names.first().and_then(|name| layer_norm_before(name)) else { return Ok(()) };
        let mut largest = Vec::new();
        for (x, batch) in inputs.iter().zip(batches) {
            // Padding tokens count as 0.
            let x = x.abs()?.broadcast_mul(&batch.attention_mask.unsqueeze(2)?)?;
            raise(&mut largest, &x.max(0)?.max(0)?.to_vec1::<f32>()?);
        }
        let mut weights = Vec::new();
        for name in names {
            raise(&mut weights, &variables.get(name)?.detach().abs()?.max(0)?.to_vec1::<f32>()?);
        }
        factors.insert(norm, smoothing_factors(&largest, &weights));
        Ok(())
    })?;
    Ok(Smoothing::new(factors))
}

/// `most = max(most, values)`, element by element; an empty `most` counts as zeros.
fn raise(most: &mut Vec<f32>, values: &[f32]) {
    most.resize(values.len(), 0.0);
    most.iter_mut().zip(values).for_each(|(most, &value)| *most = value.max(*most));
}
