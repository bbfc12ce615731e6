//! The logits of many windows.

use anyhow::Result;
use candle_core::Device;

use crate::features::{Batch, Feature, by_length};
use crate::model::BertForQuestionAnswering;

/// Start and end logits of a window, one per token.
pub struct Logits {
    /// Of the first token of the answer.
    pub start: Vec<f32>,
    /// Of the last token of the answer.
    pub end: Vec<f32>,
}

/// The logits of each window, in the order of `windows`.
///
/// # Errors
/// A failure of the device.
pub fn logits(
    model: &BertForQuestionAnswering,
    windows: &[Feature],
    batch_size: usize,
    pad: u32,
    device: &Device,
) -> Result<Vec<Logits>> {
    let mut all: Vec<Logits> =
        windows.iter().map(|_| Logits { start: Vec::new(), end: Vec::new() }).collect();
    for indices in by_length(windows, batch_size.max(1)) {
        let batch = Batch::new(windows, &indices, pad, device)?;
        let output = model.forward(&batch.input)?;
        let (starts, ends) = (output.start_logits.to_vec2::<f32>()?, output.end_logits.to_vec2::<f32>()?);
        for ((index, mut start), mut end) in indices.into_iter().zip(starts).zip(ends) {
            let tokens = windows[index].input_ids.len();
            start.truncate(tokens);
            end.truncate(tokens);
            all[index] = Logits { start, end };
        }
    }
    Ok(all)
}
