//! Sums over all workers, added up in the order of their ranks, so that the bits of a sum depend on the number of workers
//! alone: neither on what moves the bytes nor on who comes first.

use core::ops::AddAssign;

use anyhow::{Result, bail};
use bytemuck::Pod;
use candle_core::{DType, Device, Tensor, WithDType};

use super::Exchange;
use super::transport::Transport;

/// Values that go over in one piece.
pub(super) const BUCKET: usize = 1 << 22;

/// An exchange over any transport. Of each bucket of values a worker adds up one part, which it gets from all others, and
/// gives the sum to them: a worker sends and receives twice the bucket at most, however many there are.
pub(super) struct InRankOrder<T> {
    transport: T,
    local_rank: usize,
}

impl<T: Transport> InRankOrder<T> {
    pub fn new(transport: T, local_rank: usize) -> Self {
        InRankOrder { transport, local_rank }
    }

    /// Replaces tensors of one type by their sums.
    fn sum_all<V>(&mut self, tensors: &mut [&mut Tensor]) -> Result<()>
    where
        V: Pod + WithDType + AddAssign,
    {
        let mut rest = tensors;
        while !rest.is_empty() {
            let mut values = 0;
            let more = |tensor: &&mut &mut Tensor| {
                values += tensor.elem_count();
                values <= BUCKET
            };
            let count = rest.iter_mut().take_while(more).count().max(1);
            let (bucket, others) = rest.split_at_mut(count);
            self.sum_bucket::<V>(bucket)?;
            rest = others;
        }
        Ok(())
    }

    fn sum_bucket<V>(&mut self, tensors: &mut [&mut Tensor]) -> Result<()>
    where
        V: Pod + WithDType + AddAssign,
    {
        let mut flat: Vec<V> = Vec::with_capacity(tensors.iter().map(|t| t.elem_count()).sum());
        for tensor in tensors.iter() {
            flat.extend(tensor.to_device(&Device::Cpu)?.flatten_all()?.to_vec1::<V>()?);
        }
        // A tensor may be larger than a bucket.
        flat.chunks_mut(BUCKET).try_for_each(|values| self.sum(values))?;
        let mut sums = &flat[..];
        for tensor in tensors.iter_mut() {
            let (own, others) = sums.split_at(tensor.elem_count());
            **tensor = Tensor::from_slice(own, tensor.shape(), tensor.device())?;
            sums = others;
        }
        Ok(())
    }

    /// Replaces values by their sums: each worker adds up a part, in the order of the ranks.
    fn sum<V: Pod + AddAssign>(&mut self, values: &mut [V]) -> Result<()> {
        let workers = self.transport.workers();
        let part = values.len().div_ceil(workers);
        let mut all = values.to_vec();
        all.resize(part * workers, V::zeroed());
        let mut received = vec![V::zeroed(); all.len()];
        self.transport.all_to_all(bytemuck::cast_slice(&all), bytemuck::cast_slice_mut(&mut received))?;
        let (sum, others) = received.split_at_mut(part);
        for values in others.chunks_exact(part.max(1)) {
            sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += *value);
        }
        self.transport.all_gather(bytemuck::cast_slice(sum), bytemuck::cast_slice_mut(&mut all))?;
        values.copy_from_slice(&all[..values.len()]);
        Ok(())
    }
}

impl<T: Transport> Exchange for InRankOrder<T> {
    fn rank(&self) -> usize {
        self.transport.rank()
    }

    fn workers(&self) -> usize {
        self.transport.workers()
    }

    fn local_rank(&self) -> usize {
        self.local_rank
    }

    fn all_reduce_sum(&mut self, tensors: &mut [&mut Tensor]) -> Result<()> {
        let mut single = Vec::new();
        let mut double = Vec::new();
        for tensor in tensors.iter_mut() {
            match tensor.dtype() {
                DType::F32 => single.push(&mut **tensor),
                DType::F64 => double.push(&mut **tensor),
                other => bail!("workers exchange f32 and f64, not {other:?}"),
            }
        }
        self.sum_all::<f32>(&mut single)?;
        self.sum_all::<f64>(&mut double)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use anyhow::{Context, Result};
    use candle_core::{Device, Tensor};

    use super::{BUCKET, InRankOrder};
    use crate::train::exchange::Exchange;
    use crate::train::exchange::transport::Transport;

    /// Workers that are threads of one process.
    struct Channels {
        rank: usize,
        to: Vec<Sender<Vec<u8>>>,
        from: Vec<Receiver<Vec<u8>>>,
    }

    impl Channels {
        fn swap<'s>(&self, send: impl Fn(usize) -> &'s [u8], receive: &mut [u8]) -> Result<()> {
            for (worker, to) in self.to.iter().enumerate() {
                to.send(send(worker).to_vec())?;
            }
            let part = receive.len() / self.to.len();
            for (from, part) in self.from.iter().zip(receive.chunks_mut(part)) {
                part.copy_from_slice(&from.recv().context("a worker is gone")?);
            }
            Ok(())
        }
    }

    impl Transport for Channels {
        fn rank(&self) -> usize {
            self.rank
        }

        fn workers(&self) -> usize {
            self.to.len()
        }

        fn all_to_all(&mut self, send: &[u8], receive: &mut [u8]) -> Result<()> {
            let part = send.len() / self.to.len();
            self.swap(|worker| &send[worker * part..][..part], receive)
        }

        fn all_gather(&mut self, send: &[u8], receive: &mut [u8]) -> Result<()> {
            self.swap(|_| send, receive)
        }
    }

    fn channels(workers: usize) -> Vec<Channels> {
        let mut all: Vec<Channels> =
            (0..workers).map(|rank| Channels { rank, to: Vec::new(), from: Vec::new() }).collect();
        for from in 0..workers {
            for to in 0..workers {
                let (sender, receiver) = channel();
                all[from].to.push(sender);
                all[to].from.push(receiver);
            }
        }
        all
    }

    /// What worker `rank` has at place `index`: sums of them depend on their order.
    fn value(rank: usize, index: usize) -> f32 {
        let sign = if (rank + index).is_multiple_of(3) { -1.0 } else { 1.0 };
        sign * ((rank * 7919 + index * 104_729) % 9973) as f32 * 10f32.powi((rank * 5 % 7) as i32 - 3)
    }

    #[test]
    fn sums_are_those_of_a_loop_over_the_ranks() -> Result<()> {
        // Tensors of no value, of one, of a number that workers cannot share evenly, and more than a bucket holds.
        let lengths = [0, 1, 13, BUCKET / 2, BUCKET / 2 + 5, BUCKET + 3, 7];
        for workers in [1, 2, 3, 4] {
            std::thread::scope(|scope| {
                let run = |channels: Channels| -> Result<()> {
                    let rank = channels.rank;
                    let mut exchange = InRankOrder::new(channels, 0);
                    let tensor =
                        |&len: &usize| Tensor::from_iter((0..len).map(|i| value(rank, i)), &Device::Cpu);
                    let mut tensors = lengths.iter().map(tensor).collect::<Result<Vec<_>, _>>()?;
                    let mut seconds = Tensor::new(&[rank as f64 + 0.25], &Device::Cpu)?;
                    let mut all: Vec<&mut Tensor> = tensors.iter_mut().collect();
                    all.insert(3, &mut seconds);
                    exchange.all_reduce_sum(&mut all)?;
                    for (tensor, len) in tensors.iter().zip(lengths) {
                        let expected = (0..len)
                            .map(|i| (1..workers).fold(value(0, i), |sum, worker| sum + value(worker, i)));
                        assert!(
                            tensor.to_vec1::<f32>()?.into_iter().eq(expected),
                            "{workers} workers, {len}"
                        );
                    }
                    let sum: f64 = (0..workers).map(|worker| worker as f64 + 0.25).sum();
                    assert_eq!(seconds.to_vec1::<f64>()?, [sum]);
                    Ok(())
                };
                let threads: Vec<_> = channels(workers)
                    .into_iter()
                    .map(|channels| scope.spawn(move || run(channels)))
                    .collect();
                threads.into_iter().try_for_each(|thread| thread.join().expect("a worker"))
            })?;
        }
        Ok(())
    }

    #[test]
    fn integers_are_refused() -> Result<()> {
        let mut exchange = InRankOrder::new(channels(1).remove(0), 0);
        let mut tensor = Tensor::new(&[1u32], &Device::Cpu)?;
        assert!(exchange.all_reduce_sum(&mut [&mut tensor]).is_err());
        Ok(())
    }
}
