//! What training minimizes.

use anyhow::Result;
use candle_core::{D, Tensor};

use crate::batches::Batch;
use crate::model::Output;
use crate::ops;
use crate::ops::composed::log_softmax;

/// How the parts of the loss are weighed: `(1 − distill) · CE + distill · T² · KL(teacher ‖ student) +
/// hidden · relative error of the hidden states`. Without a teacher the loss is CE.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// The share of the teacher's distribution against that of the labels, 0 to 1.
    pub distill: f64,
    /// Divides the logits of teacher and student.
    pub temperature: f64,
    /// Weight of the encoder layers' mean [`ops::relative_error`] to those of the teacher.
    pub hidden: f64,
}

/// The loss of a batch, a scalar: mean over its windows and over start and end.
///
/// # Errors
/// A failure of the device.
pub fn loss(output: &Output, teacher: Option<&Output>, batch: &Batch, weights: Weights) -> Result<Tensor> {
    let padding = batch.input.attention_mask.affine(1e9, -1e9)?;
    let mut total = Tensor::zeros((), output.start_logits.dtype(), output.start_logits.device())?;
    let hard = if teacher.is_some() { 1.0 - weights.distill } else { 1.0 };
    if hard > 0.0 {
        let start = cross_entropy(&(&output.start_logits + &padding)?, &batch.starts)?;
        let end = cross_entropy(&(&output.end_logits + &padding)?, &batch.ends)?;
        total = (total + ((start + end)? * (hard / 2.0))?)?;
    }
    let Some(teacher) = teacher else { return Ok(total) };
    if weights.distill > 0.0 {
        let part = |student: &Tensor, teacher: &Tensor| -> Result<Tensor> {
            divergence(&(student + &padding)?, &(teacher + &padding)?, weights.temperature)
        };
        let start = part(&output.start_logits, &teacher.start_logits)?;
        let end = part(&output.end_logits, &teacher.end_logits)?;
        total = (total + ((start + end)? * (weights.distill / 2.0))?)?;
    }
    if weights.hidden > 0.0 && !output.hidden_states.is_empty() {
        let scale = weights.hidden / output.hidden_states.len() as f64;
        for (student, teacher) in output.hidden_states.iter().zip(&teacher.hidden_states) {
            let error = ops::relative_error(student, teacher, &batch.input.attention_mask)?;
            total = (total + (error * scale)?)?;
        }
    }
    Ok(total)
}

/// Mean over the rows of −log p(label).
fn cross_entropy(logits: &Tensor, labels: &Tensor) -> Result<Tensor> {
    Ok(log_softmax(logits)?.gather(&labels.unsqueeze(1)?, D::Minus1)?.mean_all()?.neg()?)
}

/// T² · KL(teacher ‖ student) of the distributions at temperature T, mean over the rows.
fn divergence(student: &Tensor, teacher: &Tensor, temperature: f64) -> Result<Tensor> {
    let student = log_softmax(&(student / temperature)?)?;
    let teacher = log_softmax(&(teacher.detach() / temperature)?)?;
    let divergence = (teacher.exp()? * (&teacher - student)?)?.sum(D::Minus1)?.mean_all()?;
    Ok((divergence * (temperature * temperature))?)
}
