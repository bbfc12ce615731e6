//! Pruning in the course of a run: exact counts, zeros that stay, every score and scope.

mod common;

use anyhow::Result;
use blockspan_squad::Dataset;
use blockspan_trainer::config::Config;
use blockspan_trainer::features::{Batch, Labels, WindowOptions, features};
use blockspan_trainer::model::{BertForQuestionAnswering, Input, Variables};
use blockspan_trainer::prune::pattern::{Blocks, Pattern};
use blockspan_trainer::prune::{Masks, Plan, Pruner, Ramp, Scope, Score, Statistics, assert_pruned, lock};
use blockspan_trainer::tokenizer::Tokenizer;
use candle_core::{Device, Tensor};

/// Two layers of four 16 × 16 and two 32 × 16 matrices.
const WEIGHTS: usize = 2 * (4 * 256 + 2 * 512);

struct Setup {
    config: Config,
    variables: Variables,
    batch: Input,
}

fn setup() -> Result<Setup> {
    let root = tempfile::tempdir()?;
    let config = common::write_base(root.path(), 1);
    let tokenizer = Tokenizer::read(&root.path().join("base"))?;
    let dataset = Dataset::parse(common::DATA.as_bytes(), "data.json")?;
    let options = WindowOptions { max_seq_len: 24, doc_stride: 8 };
    let windows = features(&dataset, &tokenizer, options, Labels::Train)?;
    let all: Vec<usize> = (0..windows.len()).collect();
    let batch = Batch::new(&windows, &all, tokenizer.pad, &Device::Cpu)?.input;
    let variables =
        Variables::trained(&config, &common::random_parameters(&config, 1), &Device::Cpu, |_| true)?;
    Ok(Setup { config, variables, batch })
}

impl Setup {
    fn plan(score: Score, scope: Scope, pattern: Pattern) -> Plan {
        Plan { pattern, sparsity: 0.75, score, scope, ramp: Ramp { begin: 0.1, end: 0.5, every: 2 } }
    }

    fn calibration(&self) -> Vec<Input> {
        let Input { input_ids, token_type_ids, attention_mask } = &self.batch;
        vec![Input {
            input_ids: input_ids.clone(),
            token_type_ids: token_type_ids.clone(),
            attention_mask: attention_mask.clone(),
        }]
    }

    /// The network's start logits as they are now.
    fn logits(&self) -> Result<Vec<f32>> {
        let model = BertForQuestionAnswering::new(&self.config, self.variables.builder())?;
        Ok(model.forward(&self.batch)?.start_logits.flatten_all()?.to_vec1()?)
    }

    /// A gradient of ones for every matrix, weighed by the number of the column.
    fn observe(&self, pruner: &mut Pruner) -> Result<()> {
        let mut gradients = std::collections::BTreeMap::new();
        for matrix in self.config.prunable() {
            let columns = Tensor::arange(0f32, matrix.inputs as f32, &Device::Cpu)?;
            let gradient = columns.broadcast_as((matrix.outputs, matrix.inputs))?.contiguous()?;
            gradients.insert(matrix.name, gradient);
        }
        pruner.observe(&self.variables, |name| gradients.get(name))
    }
}

/// The share of each matrix that is pruned.
fn shares(masks: &Masks) -> Vec<f64> {
    let zeros = |mask: &[f32]| mask.iter().filter(|&&m| m == 0.0).count() as f64 / mask.len() as f64;
    masks.values().map(|mask| zeros(mask)).collect()
}

#[test]
fn every_score_and_scope_follows_the_cubic_course_exactly() -> Result<()> {
    for pattern in [Pattern::OutputBlock, Pattern::InputBlock] {
        for score in [Score::Magnitude, Score::Taylor, Score::Obs] {
            for scope in [Scope::Matrix, Scope::Global] {
                let setup = setup()?;
                let plan = Setup::plan(score, scope, pattern);
                let mut pruner = Pruner::new(&setup.config, plan, setup.calibration())?;
                let (mut masks, mut prunings) = (Masks::new(), Vec::new());
                for step in 0..20 {
                    let done = step as f64 / 20.0;
                    setup.observe(&mut pruner)?;
                    let Some(new) = pruner.before_step(step, done, &setup.variables, &masks)? else {
                        continue;
                    };
                    assert!(
                        masks.iter().all(|(name, old)| old.iter().zip(&new[name]).all(|(o, n)| n <= o)),
                        "a pruned block came back"
                    );
                    masks = new;
                    prunings.push(step);
                    let pruned = assert_pruned(&setup.variables.to_parameters()?, &masks)?;
                    let share = plan.ramp.sparsity(done, plan.sparsity);
                    let error = pruned as f64 - share * WEIGHTS as f64;
                    // Rounded to whole blocks of four, in every one of the twelve matrices.
                    let bound = if scope == Scope::Matrix { 12.0 * 2.0 } else { 2.0 };
                    assert!(error.abs() <= bound, "{score} {scope:?} at {done}: {pruned}, {error}");
                }
                assert_eq!(prunings, [4, 6, 8, 10], "{score} {scope:?}");
                let all = shares(&masks);
                assert_eq!(
                    all.iter().all(|&share| share == 0.75),
                    scope == Scope::Matrix,
                    "{score}: {all:?}"
                );
                // What is left follows the pattern, so that it can be locked and packed.
                let (locked, found) = lock(&setup.config, &setup.variables.to_parameters()?, Some(pattern))?;
                assert_eq!((locked == masks, found), (true, pattern));
                assert_eq!(pruner.finish(&setup.variables, &masks)?, None);
            }
        }
    }
    Ok(())
}

#[test]
fn a_run_that_is_too_short_is_finished() -> Result<()> {
    let setup = setup()?;
    let plan = Setup::plan(Score::Magnitude, Scope::Matrix, Pattern::OutputBlock);
    let mut pruner = Pruner::new(&setup.config, plan, Vec::new())?;
    let first = pruner.before_step(2, 0.3, &setup.variables, &Masks::new())?.expect("masks");
    assert!(shares(&first).iter().all(|&share| (0.6..0.7).contains(&share)));
    assert_eq!(pruner.before_step(3, 0.35, &setup.variables, &first)?, None);
    let last = pruner.finish(&setup.variables, &first)?.expect("masks");
    assert!(shares(&last).iter().all(|&share| share == 0.75));
    Ok(())
}

#[test]
fn the_gradients_decide_by_taylor_and_can_be_restored() -> Result<()> {
    let setup = setup()?;
    let pattern = Pattern::OutputBlock;
    let plan = Plan { score: Score::Taylor, ..Plan::one_shot(pattern, 0.5) };
    let mut pruner = Pruner::new(&setup.config, plan, Vec::new())?;
    assert!(pruner.needs_gradients(0.0));
    let message =
        format!("{:#}", pruner.before_step(0, 0.0, &setup.variables, &Masks::new()).expect_err("none"));
    assert!(message.contains("no gradient was seen"), "{message}");
    setup.observe(&mut pruner)?;
    assert!(!pruner.needs_gradients(0.0));
    let json = serde_json::to_string(pruner.statistics())?;
    let mut other = Pruner::new(&setup.config, plan, Vec::new())?;
    other.restore(serde_json::from_str::<Statistics>(&json)?);
    let before = setup.variables.to_parameters()?;
    let masks = other.before_step(0, 0.0, &setup.variables, &Masks::new())?.expect("masks");
    for matrix in setup.config.prunable() {
        // By hand: (Σ w·g)² with g the number of the column.
        let square = |block: usize| {
            let places = pattern.places(block, matrix.inputs);
            let product = |at: usize| before[&matrix.name][at] * (at % matrix.inputs) as f32;
            places.iter().map(|&at| product(at)).sum::<f32>().powi(2)
        };
        let blocks = matrix.outputs * matrix.inputs / 4;
        let mut order: Vec<f32> = (0..blocks).map(square).collect();
        order.sort_by(f32::total_cmp);
        for block in 0..blocks {
            let kept = masks[&matrix.name][pattern.places(block, matrix.inputs)[0]] != 0.0;
            let margin = square(block) - order[blocks / 2];
            assert!(margin.abs() < 1e-4 || kept == (margin > 0.0), "{}: {block}", matrix.name);
        }
    }
    Ok(())
}

#[test]
fn second_order_pruning_keeps_the_logits_closer() -> Result<()> {
    let error = |score| -> Result<f32> {
        let setup = setup()?;
        let before = setup.logits()?;
        let plan = Plan { score, ..Plan::one_shot(Pattern::OutputBlock, 0.5) };
        let mut pruner = Pruner::new(&setup.config, plan, setup.calibration())?;
        pruner.before_step(0, 0.0, &setup.variables, &Masks::new())?;
        Ok(setup.logits()?.iter().zip(&before).map(|(a, b)| (a - b).powi(2)).sum())
    };
    let (obs, magnitude) = (error(Score::Obs)?, error(Score::Magnitude)?);
    println!("squared change of the logits: obs {obs}, magnitude {magnitude}");
    assert!(obs < 0.5 * magnitude, "obs {obs}, magnitude {magnitude}");
    Ok(())
}

#[test]
fn plans_that_cannot_be_kept_are_refused() -> Result<()> {
    let setup = setup()?;
    let good = Setup::plan(Score::Magnitude, Scope::Matrix, Pattern::OutputBlock);
    for (plan, part) in [
        (Plan { sparsity: 1.0, ..good }, "--sparsity 1"),
        (Plan { sparsity: f64::NAN, ..good }, "--sparsity NaN"),
        (Plan { ramp: Ramp { begin: 0.6, ..good.ramp }, ..good }, "--prune-begin 0.6, --prune-end 0.5"),
        (Plan { ramp: Ramp { end: 1.5, ..good.ramp }, ..good }, "--prune-end 1.5"),
        (Plan { ramp: Ramp { every: 0, ..good.ramp }, ..good }, "--prune-every 0"),
        (Plan { score: Score::Obs, ..good }, "--calibration 0"),
    ] {
        let message = Pruner::new(&setup.config, plan, Vec::new()).err().expect("refused").to_string();
        assert!(message.contains(part), "{message}");
    }
    Ok(())
}
