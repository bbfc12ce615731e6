//! Jobs in order, with Python's patience: a few ahead of the reply that is waited for.

use std::collections::VecDeque;

use blockspan_reader::{Error, Job, Reader, Reply, Ticket};
use pyo3::prelude::*;

use crate::waiting::wait;

/// Answers the jobs, at most four for each session ahead, and hands what came of them to `each`, in order. An item that is
/// no job (`E`) keeps its place.
///
/// # Errors
/// What `jobs` or `each` fail with, or what a signal's handler raises. No job is left behind.
pub(crate) fn in_order<E>(
    py: Python<'_>,
    reader: &Reader,
    mut jobs: impl Iterator<Item = PyResult<Result<Job, E>>>,
    mut each: impl FnMut(Result<Result<Reply, Error>, E>) -> PyResult<()>,
) -> PyResult<()> {
    let mut ahead: VecDeque<Result<Ticket, E>> = VecDeque::new();
    let mut more = true;
    loop {
        while more && ahead.len() < 4 * reader.sessions() {
            match jobs.next() {
                // The queue may be full of other threads' questions, whose replies want the GIL.
                Some(job) => ahead.push_back(job?.map(|job| py.detach(|| reader.submit(job)))),
                None => more = false,
            }
        }
        match ahead.pop_front() {
            Some(Ok(ticket)) => each(Ok(wait(py, ticket)?))?,
            Some(Err(other)) => each(Err(other))?,
            None => return Ok(()),
        }
    }
}
