//! The windows of a passage, read by this session and by those that have nothing else to do.

use core::ops::Range;
use std::collections::VecDeque;
use std::sync::Arc;

use blockspan_engine::{AnswerOptions, Sequence, Sequences, Session};

use crate::error::Error;
use crate::gather::{Gather, Gathered, Logits, WindowTask};
use crate::queue::{Entry, Queue};

/// The most windows whose logits are kept until that of an earlier window is there.
const MOST_HELD: usize = 64;

/// Takes a window and its start and end logits.
pub(crate) type Sink<'a> = dyn FnMut(&Sequence<'_>, &[f32], &[f32]) + 'a;

/// A worker's session and buffers, while it reads a job.
pub(crate) struct Reading<'w, 's> {
    pub session: &'w mut Session<'s>,
    pub queue: &'w Queue,
    /// As long as the session's windows.
    pub ids: &'w mut [[u32; 2]],
    /// As long as `ids`.
    pub offsets: &'w mut [[u32; 2]],
}

impl Reading<'_, '_> {
    /// Gives `sink` every window of the passage, in order, so that what it makes of them does not depend on who read
    /// which. Returns how many there are.
    pub fn windows(
        &mut self,
        entry: &Entry,
        max_seq_len: usize,
        cutting: &AnswerOptions,
        sink: &mut Sink<'_>,
    ) -> Result<usize, Error> {
        let Self { session, queue, ids, offsets } = self;
        let ids = ids.get_mut(..max_seq_len).unwrap_or_default();
        let (question, passage) = (&entry.job.question, &entry.job.passage);
        let mut sequences = Sequences::new(session.model(), question, passage, cutting, ids, offsets)?;
        let mut spread = Spread::new(queue);
        let mut count = 0;
        while let Some(sequence) = sequences.next() {
            if entry.slot.is_cancelled() || queue.is_closed() {
                return Err(Error::Closed);
            }
            if !spread.lend(&sequence) {
                let (start, end) = session.logits(sequence.ids)?;
                if spread.held.is_empty() {
                    sink(&sequence, start, end);
                    spread.next += 1;
                } else {
                    spread.hold(&sequence, Some(Logits { start: start.to_vec(), end: end.to_vec() }));
                }
            }
            count += 1;
            spread.arrived(spread.gather.take())?;
            spread.give(sink);
            spread.settle(MOST_HELD, session, sink)?;
        }
        spread.settle(0, session, sink)?;
        Ok(count)
    }
}

/// A window that cannot be given to the sink yet.
struct Held {
    ids: Arc<[[u32; 2]]>,
    passage: Range<usize>,
    offsets: Vec<[u32; 2]>,
    logits: Option<Logits>,
}

/// Windows of one passage that are with other sessions, or wait for one that is.
struct Spread<'q> {
    queue: &'q Queue,
    gather: Arc<Gather>,
    /// In the passage's order.
    held: VecDeque<Held>,
    /// The number of the first that is held.
    next: usize,
}

impl<'q> Spread<'q> {
    fn new(queue: &'q Queue) -> Self {
        Self { queue, gather: Arc::default(), held: VecDeque::new(), next: 0 }
    }

    /// Hands the window to a session that has nothing to do; returns whether there is one.
    fn lend(&mut self, sequence: &Sequence<'_>) -> bool {
        let mut ids = None;
        let lent = self.queue.lend(|| {
            let copy: Arc<[[u32; 2]]> = sequence.ids.into();
            ids = Some(Arc::clone(&copy));
            let (index, gather) = (self.next + self.held.len(), Arc::clone(&self.gather));
            WindowTask { ids: copy, index, gather }
        });
        if let Some(ids) = ids {
            let (passage, offsets) = (sequence.passage.clone(), sequence.offsets.to_vec());
            self.held.push_back(Held { ids, passage, offsets, logits: None });
        }
        lent
    }

    fn hold(&mut self, sequence: &Sequence<'_>, logits: Option<Logits>) {
        let Sequence { ids, passage, offsets } = sequence;
        let (ids, passage, offsets) = ((*ids).into(), passage.clone(), offsets.to_vec());
        self.held.push_back(Held { ids, passage, offsets, logits });
    }

    fn arrived(&mut self, windows: Vec<Gathered>) -> Result<(), Error> {
        for (index, logits) in windows {
            if let Some(held) = self.held.get_mut(index.wrapping_sub(self.next)) {
                held.logits = Some(logits?);
            }
        }
        Ok(())
    }

    /// Gives the sink what it can have now.
    fn give(&mut self, sink: &mut Sink<'_>) {
        while let Some(Held { ids, passage, offsets, logits: Some(logits) }) = self.held.front() {
            let sequence = Sequence { ids, passage: passage.clone(), offsets };
            sink(&sequence, &logits.start, &logits.end);
            self.held.pop_front();
            self.next += 1;
        }
    }

    /// Waits until no more than `most` windows are held; reads those that nobody has begun.
    fn settle(&mut self, most: usize, session: &mut Session<'_>, sink: &mut Sink<'_>) -> Result<(), Error> {
        while self.held.len() > most {
            match self.queue.take_back(&self.gather) {
                Some(task) => {
                    let (start, end) = session.logits(&task.ids)?;
                    let logits = Logits { start: start.to_vec(), end: end.to_vec() };
                    self.arrived(vec![(task.index, Ok(logits))])?;
                }
                None => self.arrived(self.gather.wait())?,
            }
            self.give(sink);
        }
        Ok(())
    }
}

impl Drop for Spread<'_> {
    /// After an error: windows that nobody has begun are not read any more.
    fn drop(&mut self) {
        self.gather.cancel();
        while self.queue.take_back(&self.gather).is_some() {}
    }
}
