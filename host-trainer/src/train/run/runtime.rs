//! Where a run happens.

use anyhow::{Result, bail};
use candle_core::{Device, Tensor};

use crate::train::exchange::{Exchange, SingleWorker};
use crate::train::interrupt::Interrupt;
use crate::train::options::FinetuneOptions;

/// Where a run happens.
pub struct Runtime {
    /// Where tensors live.
    pub device: Device,
    /// Asks the run to save itself and stop.
    pub interrupt: Interrupt,
    /// The other workers.
    pub exchange: Box<dyn Exchange>,
    /// A limit on memory below the device's own, for one that is shared: whether the network may read so many windows
    /// at once. Asked before every batch; one that is refused has run out of memory, see
    /// [`FinetuneOptions::shrink_batch`].
    pub fits: Option<Fits>,
}

/// See [`Runtime::fits`].
pub type Fits = Box<dyn Fn(usize) -> bool>;

impl Runtime {
    /// One worker that nothing interrupts and nothing but the device limits.
    pub fn on(device: &Device) -> Self {
        let (interrupt, exchange) = (Interrupt::default(), Box::new(SingleWorker));
        Runtime { device: device.clone(), interrupt, exchange, fits: None }
    }

    /// How many workers there are.
    pub(super) fn workers(&self) -> usize {
        self.exchange.workers().max(1)
    }

    /// Windows of one step of all workers together.
    pub(super) fn step_windows(&self, options: &FinetuneOptions) -> usize {
        options.step_windows().saturating_mul(self.workers())
    }

    /// This worker's share of the windows of a step.
    pub(super) fn share<'i>(&self, indices: &'i [usize]) -> &'i [usize] {
        let share = indices.len().div_ceil(self.workers());
        indices.chunks(share.max(1)).nth(self.exchange.rank()).unwrap_or_default()
    }

    /// Exchanges this worker's seconds and asks for a signal to stop: the mean of all workers' seconds, and the
    /// signal of any of them, the same on all workers.
    pub(super) fn sync(&mut self, seconds: f64) -> Result<(f64, Option<usize>)> {
        let signal = self.interrupt.signal();
        let workers = self.workers();
        if workers < 2 {
            return Ok((seconds, signal));
        }
        let mut shared = Tensor::new(&[seconds, signal.unwrap_or(0) as f64], &Device::Cpu)?;
        self.exchange.all_reduce_sum(&mut [&mut shared])?;
        let [seconds, signals] = shared.to_vec1::<f64>()?[..] else {
            bail!("workers exchanged another shape")
        };
        // The number itself where one worker was asked; where several were, any of them will do.
        let signal = (signals > 0.0).then(|| signal.unwrap_or(signals as usize));
        Ok((seconds / workers as f64, signal))
    }
}
