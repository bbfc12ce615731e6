//! From a job to its reply.

mod pipeline;
mod run_qa;

use crate::error::Error;
use crate::job::Decoding;
use crate::queue::Entry;
use crate::reading::Reading;
use crate::reply::Reply;

/// Answers a job by the rules that it asks for.
pub(crate) fn answer(reading: &mut Reading<'_, '_>, entry: &Entry) -> Result<Reply, Error> {
    let options = &entry.job.options;
    let max_seq_len = options.check(reading.ids.len())?;
    match options.decoding {
        Decoding::RunQa(rules) => run_qa::answer(reading, entry, max_seq_len, &rules),
        Decoding::Pipeline(rules) => pipeline::answer(reading, entry, max_seq_len, &rules),
    }
}
