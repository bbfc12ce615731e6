//! Two workers that share the gradients of a step do what one worker does with all of its windows.

mod common;

use std::path::Path;
use std::sync::{Arc, Barrier, Mutex};

use anyhow::Result;
use blockspan_trainer::checkpoint::{self, Parameters};
use blockspan_trainer::features::WindowOptions;
use blockspan_trainer::train::loss::Weights;
use blockspan_trainer::train::optimizer::AdamWOptions;
use blockspan_trainer::train::schedule::{Decay, Schedule};
use blockspan_trainer::train::{
    Exchange, FinetuneOptions, FinetuneReport, Runtime, Saving, finetune, metrics,
};
use candle_core::{DType, Device, Tensor};

const WORKERS: usize = 2;

/// What the workers put in the middle: a list of tensors each.
struct Middle {
    given: Mutex<Vec<Vec<Tensor>>>,
    barrier: Barrier,
}

/// Workers that are threads of one process.
struct Threads {
    rank: usize,
    middle: Arc<Middle>,
}

impl Exchange for Threads {
    fn rank(&self) -> usize {
        self.rank
    }

    fn workers(&self) -> usize {
        WORKERS
    }

    fn all_reduce_sum(&mut self, tensors: &mut [&mut Tensor]) -> Result<()> {
        self.middle.given.lock().expect("a lock")[self.rank] =
            tensors.iter().map(|t| (**t).clone()).collect();
        self.middle.barrier.wait();
        let given = self.middle.given.lock().expect("a lock").clone();
        // Nobody puts anything new while another still reads.
        self.middle.barrier.wait();
        for (index, tensor) in tensors.iter_mut().enumerate() {
            // All workers add in the same order, so that all have the same bits.
            **tensor = (&given[0][index] + &given[1][index])?;
        }
        Ok(())
    }
}

fn options(root: &Path, out: &str, batch_size: usize) -> FinetuneOptions {
    FinetuneOptions {
        base: root.join("base"),
        train: vec![root.join("data.json")],
        out: root.join(out),
        teacher: None,
        teacher_cache: None,
        weights: Weights { distill: 0.0, null_distill: 0.0, temperature: 1.0, hidden: 0.0 },
        epochs: 4,
        max_steps: None,
        schedule: Schedule { peak: 1e-3, warmup: 0.1, decay: Decay::Cosine },
        batch_size,
        accumulation: 1,
        shrink_batch: false,
        dropout: (Some(0.0), Some(0.0)),
        dtype: DType::F32,
        quantized: false,
        unanswerable_rate: 0.0,
        skip_bad_answers: false,
        windows: WindowOptions { max_seq_len: 24, doc_stride: 8 },
        seed: 3,
        pruning: None,
        recompute: false,
        freeze_embeddings: false,
        // Where a gradient is nothing but rounding, Adam would make steps of any sign of it.
        optimizer: AdamWOptions { eps: 1e-4, ..AdamWOptions::default() },
        max_grad_norm: 0.5,
        max_time: None,
        eval: None,
        eval_every: None,
        saving: Saving::default(),
    }
}

fn parameters(out: &Path) -> Result<Parameters> {
    Ok(checkpoint::load(out, &blockspan_trainer::config::Config::read(out)?, 0)?.0)
}

fn losses(out: &Path) -> Result<Vec<f64>> {
    Ok(metrics::read(out)?
        .iter()
        .filter_map(|record| match record {
            metrics::Record::Step { loss, .. } => Some(*loss),
            metrics::Record::Evaluation { .. } => None,
        })
        .collect())
}

#[test]
fn two_workers_equal_one_with_twice_the_batch() -> Result<()> {
    let root = tempfile::tempdir()?;
    let root = root.path();
    common::write_base(root, 1);
    finetune(&options(root, "one", 4), Runtime::on(&Device::Cpu))?;
    let middle =
        Arc::new(Middle { given: Mutex::new(vec![Vec::new(); WORKERS]), barrier: Barrier::new(WORKERS) });
    let reports: Vec<FinetuneReport> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS)
            .map(|rank| {
                let exchange = Threads { rank, middle: Arc::clone(&middle) };
                scope.spawn(move || {
                    let runtime = Runtime { exchange: Box::new(exchange), ..Runtime::on(&Device::Cpu) };
                    finetune(&options(root, "two", 2), runtime)
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().expect("a worker")).collect::<Result<_>>()
    })?;
    assert_eq!(reports[0], reports[1]);
    let (one, two) = (losses(&root.join("one"))?, losses(&root.join("two"))?);
    assert_eq!(one.len(), two.len());
    for (a, b) in one.iter().zip(&two) {
        assert!((a - b).abs() < 1e-4, "{one:?} and {two:?}");
    }
    let (one, two) = (parameters(&root.join("one"))?, parameters(&root.join("two"))?);
    for (name, values) in one {
        for (a, b) in values.iter().zip(&two[&name]) {
            assert!((a - b).abs() < 1e-4, "{name}: {a} and {b}");
        }
    }
    Ok(())
}
