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

    /// This worker's share of the windows of a step, and where it begins among them.
    pub(super) fn share<'i>(&self, indices: &'i [usize]) -> (usize, &'i [usize]) {
        let share = indices.len().div_ceil(self.workers());
        let first = (share * self.exchange.rank()).min(indices.len());
        (first, &indices[first..(first + share).min(indices.len())])
    }

    /// Exchanges this worker's seconds and asks for a signal to stop: the mean of all workers' seconds, and the
    /// signal of any of them, the same on all workers.
    pub(super) fn sync(&mut self, seconds: f64) -> Result<(f64, Option<usize>)> {
        let signal = self.interrupt.signal();
        let workers = self.workers();
        if workers < 2 {
            return Ok((seconds, signal));
        }
        let asked = f64::from(u8::from(signal.is_some()));
        let [seconds, signals, asked] = self.sums([seconds, signal.unwrap_or(0) as f64, asked])?;
        // Where several workers were asked, all but always by the same signal.
        let signal = (asked > 0.0).then(|| (signals / asked) as usize);
        Ok((seconds / workers as f64, signal))
    }

    /// Waits until every worker has come here.
    pub(super) fn meet(&mut self) -> Result<()> {
        if self.workers() > 1 {
            self.sums([0.0])?;
        }
        Ok(())
    }

    /// Whether all workers come here with the same number.
    pub(super) fn agree(&mut self, number: u64) -> Result<bool> {
        let workers = self.workers();
        if workers < 2 {
            return Ok(true);
        }
        // In pieces whose squares and sums f64 holds exactly. Numbers are equal where n·Σx² = (Σx)², and only there; so all
        // workers come to the same verdict.
        let pieces: [f64; 4] = core::array::from_fn(|piece| f64::from((number >> (16 * piece)) as u16));
        let sums = self.sums(pieces)?;
        let squares = self.sums(pieces.map(|piece| piece * piece))?;
        let n = workers as f64;
        Ok(sums.iter().zip(squares).all(|(&sum, squares)| sum * sum == n * squares))
    }

    fn sums<const N: usize>(&mut self, values: [f64; N]) -> Result<[f64; N]> {
        let mut shared = Tensor::new(&values, &Device::Cpu)?;
        self.exchange.all_reduce_sum(&mut [&mut shared])?;
        match shared.to_vec1::<f64>()?.try_into() {
            Ok(sums) => Ok(sums),
            Err(_) => bail!("workers exchanged another shape"),
        }
    }
}
