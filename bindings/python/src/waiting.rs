//! Waiting for a reply as Python wants it: other threads run meanwhile, and Ctrl-C is heard.

use core::time::Duration;

use blockspan_reader::{Error, Reply, Ticket};
use pyo3::prelude::*;

/// How long a signal may wait.
const SLICE: Duration = Duration::from_millis(50);

/// Waits for the reply, without the GIL.
///
/// # Errors
/// What a signal's handler raises, such as `KeyboardInterrupt`; the job is then canceled.
pub(crate) fn wait(py: Python<'_>, mut ticket: Ticket) -> PyResult<Result<Reply, Error>> {
    loop {
        if let Some(reply) = py.detach(|| ticket.wait_for(SLICE)) {
            return Ok(reply);
        }
        py.check_signals()?;
    }
}
