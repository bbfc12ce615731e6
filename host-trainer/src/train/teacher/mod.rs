//! What a student imitates: a network, or what that network once said of every window.

mod cache;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use candle_core::{Device, Tensor};

use super::interrupt::Interrupt;
use super::options::FinetuneOptions;
use crate::checkpoint;
use crate::config::Config;
use crate::features::{Batch, Feature};
use crate::model::{BertForQuestionAnswering, Output, Variables};
use cache::{Cache, Key};

/// The reader of the batches that the student reads.
pub(super) enum Teacher {
    /// Reads every batch.
    Network(Box<BertForQuestionAnswering>),
    /// Has read every window of the training data.
    Cache(Cache),
}

/// A teacher's network, and what tells it from others.
pub(super) struct TeacherNetwork {
    network: BertForQuestionAnswering,
    /// Of its configuration and weights.
    content: u64,
}

impl TeacherNetwork {
    /// Reads the network in `path` for a student of this configuration.
    ///
    /// # Errors
    /// Files that cannot be read; a network that does not fit the student.
    pub(super) fn load(
        path: &Path,
        student: &Config,
        options: &FinetuneOptions,
        device: &Device,
    ) -> Result<Self> {
        let config = Config::read(path)?;
        ensure!(
            config.vocab_size == student.vocab_size,
            "{}: the teacher's vocabulary of {} differs from the student's {}; both must share one tokenizer",
            path.display(),
            config.vocab_size,
            student.vocab_size
        );
        let shape = |config: &Config| (config.num_hidden_layers, config.hidden_size);
        ensure!(
            options.weights.hidden == 0.0 || shape(&config) == shape(student),
            "{}: the teacher's layers and hidden size {:?} differ from the student's {:?}; leave out \
             --hidden-weight",
            path.display(),
            shape(&config),
            shape(student)
        );
        let parameters = checkpoint::load_fine_tuned(path, &config)?;
        let content = cache::content_of(path, &parameters)?;
        let variables = Variables::frozen(&config, parameters, device)?;
        let network =
            BertForQuestionAnswering::new(&config, variables.builder())?.with_dtype(options.dtype)?;
        Ok(TeacherNetwork { network, content })
    }

    /// The teacher of a run over these windows. With [`FinetuneOptions::teacher_cache`] the network reads those that the
    /// cache lacks now, unless a signal asks to stop.
    ///
    /// # Errors
    /// A cache of another teacher or other windows, or one that cannot be read or written.
    pub(super) fn prepare(
        self,
        options: &FinetuneOptions,
        data: &[Feature],
        pad: u32,
        interrupt: &Interrupt,
        device: &Device,
    ) -> Result<Teacher> {
        let Some(directory) = &options.teacher_cache else {
            return Ok(Teacher::Network(Box::new(self.network)));
        };
        let key = Key::new(self.content, options.dtype.as_str(), options.windows, data);
        let mut cache = Cache::open(directory, key, data)?;
        cache.fill(interrupt, data, options.batch_size, |batch| {
            self.network.forward(&Batch::new(data, batch, pad, device)?.input)
        })?;
        Ok(Teacher::Cache(cache))
    }
}

impl Teacher {
    /// What the teacher says of a batch of these windows of the training data. A window without a number was drawn for
    /// this epoch: a cache has zeros for it, and the loss leaves it to its labels.
    ///
    /// # Errors
    /// A failure of the device.
    pub(super) fn output(&self, batch: &Batch, windows: &[Option<usize>]) -> Result<Output> {
        let cache = match self {
            Teacher::Network(network) => return network.forward(&batch.input),
            Teacher::Cache(cache) => cache,
        };
        let mask = &batch.input.attention_mask;
        let (rows, width) = mask.dims2()?;
        let (mut starts, mut ends) = (vec![0.0; rows * width], vec![0.0; rows * width]);
        let rows = starts.chunks_mut(width.max(1)).zip(ends.chunks_mut(width.max(1)));
        for ((start_row, end_row), window) in rows.zip(windows) {
            let Some(window) = *window else { continue };
            let (start, end) = cache.logits(window).context("the teacher has not read this window")?;
            ensure!(start.len() <= width, "the teacher has read a longer window");
            start_row[..start.len()].copy_from_slice(start);
            end_row[..end.len()].copy_from_slice(end);
        }
        let tensor = |logits| Tensor::from_vec(logits, mask.shape(), mask.device());
        let (start_logits, end_logits) = (tensor(starts)?, tensor(ends)?);
        Ok(Output { start_logits, end_logits, hidden_states: Vec::new() })
    }
}
