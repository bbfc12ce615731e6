//! The page that sums a run up.

use anyhow::Result;
use candle_core::Device;

use crate::checkpoint::Parameters;
use crate::config::Matrix;
use crate::prune::pattern::Census;
use crate::train::evaluator::Evaluator;
use crate::train::learner::Learner;
use crate::train::options::FinetuneOptions;
use crate::train::state::State;
use crate::train::{metrics, report};

/// Writes `report.html` of a run that ended at `state` with these parameters.
pub(super) fn write_report(
    options: &FinetuneOptions,
    state: &State,
    learner: &Learner,
    parameters: &Parameters,
    evaluator: Option<&Evaluator>,
    device: &Device,
) -> Result<()> {
    let density = |matrix: Matrix| {
        let weights = parameters.get(&matrix.name).map_or(&[][..], Vec::as_slice);
        1.0 - Census::new(weights, matrix.inputs).sparsity()
    };
    let evaluation = evaluator.and_then(|evaluator| Some((evaluator, evaluator.newest()?)));
    report::write(&report::RunSummary {
        out: &options.out,
        config: learner.config(),
        recipe: &state.recipe,
        records: &metrics::read(&options.out)?,
        densities: &learner.config().prunable().into_iter().map(density).collect::<Vec<_>>(),
        steps: state.step,
        tokens: state.tokens,
        seconds: state.seconds,
        loss: state.loss.unwrap_or(0.0),
        sparsity: learner.sparsity(),
        evaluation: evaluation.map(|(evaluator, newest)| report::Evaluated {
            dataset: &evaluator.dataset,
            predictions: &newest.predictions,
            scores: newest.scores,
        }),
        device,
    })
}
