//! What training minimizes.

use anyhow::Result;
use candle_core::{D, DType, Tensor};

use crate::features::Batch;
use crate::model::Output;
use crate::ops;
use crate::ops::composed::log_softmax;

/// How the parts of the loss are weighed: `(1 − d) · CE + d · T² · KL(teacher ‖ student) + hidden · relative error of the
/// hidden states`, where d is `null_distill` in windows labeled `[CLS]` and `distill` in the others. Without a teacher the
/// loss is CE.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// The share of the teacher's distribution against that of the labels, 0 to 1.
    pub distill: f64,
    /// The same in windows that do not hold the answer. A teacher that never saw a passage without an answer finds one
    /// everywhere: 0 leaves these windows to their labels.
    pub null_distill: f64,
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
    let shares = |answered: f64, null: f64| -> Result<Tensor> {
        let labeled_null = batch.starts.eq(0u32)?.to_dtype(output.start_logits.dtype())?;
        Ok(labeled_null.affine(null - answered, answered)?)
    };
    let mut total = Tensor::zeros((), output.start_logits.dtype(), output.start_logits.device())?;
    let (distill, null_distill) = teacher.map_or((0.0, 0.0), |_| (weights.distill, weights.null_distill));
    if distill < 1.0 || null_distill < 1.0 {
        let start = cross_entropy(&(&output.start_logits + &padding)?, &batch.starts)?;
        let end = cross_entropy(&(&output.end_logits + &padding)?, &batch.ends)?;
        let share = shares(1.0 - distill, 1.0 - null_distill)?;
        total = (total + ((start + end)? * share)?.mean_all()?.affine(0.5, 0.0)?)?;
    }
    let Some(teacher) = teacher else { return Ok(total) };
    if distill > 0.0 || null_distill > 0.0 {
        let part = |student: &Tensor, teacher: &Tensor| -> Result<Tensor> {
            divergence(&(student + &padding)?, &(teacher + &padding)?, weights.temperature)
        };
        let start = part(&output.start_logits, &teacher.start_logits)?;
        let end = part(&output.end_logits, &teacher.end_logits)?;
        let share = shares(distill, null_distill)?;
        total = (total + ((start + end)? * share)?.mean_all()?.affine(0.5, 0.0)?)?;
    }
    if weights.hidden > 0.0 && !output.hidden_states.is_empty() {
        let scale = weights.hidden / output.hidden_states.len() as f64;
        for (student, teacher) in output.hidden_states.iter().zip(&teacher.hidden_states) {
            let [student, teacher] = [student, teacher].map(|hidden| hidden.to_dtype(DType::F32));
            let error = ops::relative_error(&student?, &teacher?, &batch.input.attention_mask)?;
            total = (total + (error * scale)?)?;
        }
    }
    Ok(total)
}

/// −log p(label) of each row.
fn cross_entropy(logits: &Tensor, labels: &Tensor) -> Result<Tensor> {
    Ok(log_softmax(logits)?.gather(&labels.unsqueeze(1)?, 1)?.squeeze(1)?.neg()?)
}

/// T² · KL(teacher ‖ student) of each row's distributions at temperature T.
fn divergence(student: &Tensor, teacher: &Tensor, temperature: f64) -> Result<Tensor> {
    let student = log_softmax(&(student / temperature)?)?;
    let teacher = log_softmax(&(teacher.detach() / temperature)?)?;
    let divergence = (teacher.exp()? * (&teacher - student)?)?.sum(D::Minus1)?;
    Ok((divergence * (temperature * temperature))?)
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::{Weights, loss};
    use crate::features::Batch;
    use crate::model::{Input, Output};

    /// One window of three positions, the last of which is padding with a huge logit.
    fn output(start: [f32; 2], end: [f32; 2]) -> anyhow::Result<Output> {
        let logits = |[a, b]: [f32; 2]| Tensor::new(&[[a, b, 50.0]], &Device::Cpu);
        Ok(Output { start_logits: logits(start)?, end_logits: logits(end)?, hidden_states: Vec::new() })
    }

    fn batch() -> anyhow::Result<Batch> {
        Ok(Batch {
            input: Input::new(vec![0; 3], vec![0; 3], vec![1.0, 1.0, 0.0], 1, &Device::Cpu)?,
            starts: Tensor::new(&[0u32], &Device::Cpu)?,
            ends: Tensor::new(&[1u32], &Device::Cpu)?,
            tokens: 2,
        })
    }

    fn softmax([a, b]: [f64; 2], temperature: f64) -> [f64; 2] {
        let (a, b) = ((a / temperature).exp(), (b / temperature).exp());
        [a / (a + b), b / (a + b)]
    }

    #[test]
    fn labels_and_teacher_are_weighed() -> anyhow::Result<()> {
        let student = output([1.0, 0.0], [2.0, -1.0])?;
        let teacher = output([0.5, 3.0], [0.0, 0.0])?;
        let hard = -(softmax([1.0, 0.0], 1.0)[0].ln() + softmax([2.0, -1.0], 1.0)[1].ln()) / 2.0;
        let divergence = |teacher, student| {
            let (t, s) = (softmax(teacher, 2.0), softmax(student, 2.0));
            4.0 * (t[0] * (t[0] / s[0]).ln() + t[1] * (t[1] / s[1]).ln())
        };
        let soft = (divergence([0.5, 3.0], [1.0, 0.0]) + divergence([0.0, 0.0], [2.0, -1.0])) / 2.0;
        for (distill, with_teacher, expected) in
            [(0.7, true, 0.3 * hard + 0.7 * soft), (1.0, true, soft), (0.0, true, hard), (0.7, false, hard)]
        {
            let weights = Weights { distill, null_distill: distill, temperature: 2.0, hidden: 0.0 };
            let teacher = with_teacher.then_some(&teacher);
            let value = f64::from(loss(&student, teacher, &batch()?, weights)?.to_scalar::<f32>()?);
            assert!(
                (value - expected).abs() < 1e-5,
                "{distill} {with_teacher}: {value}, expected {expected}"
            );
        }
        Ok(())
    }

    #[test]
    fn windows_without_an_answer_have_a_share_of_their_own() -> anyhow::Result<()> {
        let student = output([1.0, 0.0], [2.0, -1.0])?;
        let teacher = output([0.5, 3.0], [0.0, 0.0])?;
        let value = |teacher_share, null_share| -> anyhow::Result<f32> {
            let weights =
                Weights { distill: teacher_share, null_distill: null_share, temperature: 2.0, hidden: 0.0 };
            Ok(loss(&student, Some(&teacher), &batch()?, weights)?.to_scalar::<f32>()?)
        };
        // The only window is labeled [CLS], so the share of the others has no part in it.
        assert_eq!(value(1.0, 0.0)?, value(0.0, 0.0)?);
        assert_eq!(value(0.0, 1.0)?, value(1.0, 1.0)?);
        assert_ne!(value(1.0, 0.0)?, value(1.0, 1.0)?);
        Ok(())
    }

    #[test]
    fn hidden_states_are_compared_where_there_are_tokens() -> anyhow::Result<()> {
        let with_hidden = |values: [f32; 3]| -> anyhow::Result<Output> {
            let hidden = Tensor::from_slice(&values, (1, 3, 1), &Device::Cpu)?;
            Ok(Output { hidden_states: vec![hidden], ..output([0.0, 0.0], [0.0, 0.0])? })
        };
        let weights = Weights { distill: 1.0, null_distill: 1.0, temperature: 2.0, hidden: 10.0 };
        let (student, teacher) = (with_hidden([1.0, 2.0, 9.0])?, with_hidden([2.0, 1.0, -9.0])?);
        let value = loss(&student, Some(&teacher), &batch()?, weights)?.to_scalar::<f32>()?;
        // 10 · ((1−2)² + (2−1)²) / (2² + 1²)
        assert!((value - 4.0).abs() < 1e-5, "{value}");
        Ok(())
    }
}
