//! `Model.answer_batch`: Arrow's columns in, Arrow's columns out.

use std::sync::Arc;

use blockspan_reader::{Job, Options, Reader};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use crate::ahead::in_order;
use crate::arrow_in::Batches;
use crate::arrow_out::{Columns, RecordBatch};
use crate::texts::Texts;

/// The rows of batches as jobs; why a row is none, where it is not.
struct Rows<'n> {
    batches: Batches,
    names: [&'n str; 2],
    options: Options,
    /// The batch at hand: questions, contexts, the next row and how many there are.
    current: Option<(Texts, Texts, usize, usize)>,
    /// The context before: neighbors often share it.
    last: Arc<str>,
}

/// The text of a row, or why there is none.
fn given<'t>(texts: &'t Texts, row: usize, name: &str) -> Result<&'t str, String> {
    match texts.get(row) {
        Ok(Some(text)) => Ok(text),
        Ok(None) => Err(format!("the {name} is null; give a text")),
        Err(error) => Err(format!(
            "the {name} is not UTF-8 at byte {}; convert it, for example with iconv -t UTF-8",
            error.valid_up_to()
        )),
    }
}

impl Rows<'_> {
    fn job(&mut self, question: &Texts, context: &Texts, row: usize) -> Result<Job, String> {
        let question = given(question, row, "question")?;
        let context = given(context, row, "context")?;
        if *self.last != *context {
            self.last = context.into();
        }
        Ok(Job::new(question, Arc::clone(&self.last)).with(self.options))
    }
}

impl Iterator for Rows<'_> {
    type Item = PyResult<Result<Job, String>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((questions, contexts, row, rows)) = self.current.take()
                && row < rows
            {
                let job = self.job(&questions, &contexts, row);
                self.current = Some((questions, contexts, row + 1, rows));
                return Some(Ok(job));
            }
            let batch = match self.batches.next()? {
                Ok(batch) => batch,
                Err(error) => {
                    return Some(Err(PyRuntimeError::new_err(format!("the batch ends early: {error}"))));
                }
            };
            let [question, context] = self.names.map(|name| Texts::new(&batch, name));
            match (question, context) {
                (Ok(question), Ok(context)) => self.current = Some((question, context, 0, batch.num_rows())),
                (Err(error), _) | (_, Err(error)) => return Some(Err(error)),
            }
        }
    }
}

/// Answers the rows of batches, of which a few are in work at a time.
///
/// # Errors
/// The columns are not there or hold no texts, the batches' producer fails, or a signal's handler raises.
pub(crate) fn answer_batch(
    py: Python<'_>,
    reader: &Reader,
    batches: Batches,
    names: [&str; 2],
    options: Options,
) -> PyResult<RecordBatch> {
    let rows = Rows { batches, names, options, current: None, last: "".into() };
    let mut columns = Columns::default();
    in_order(py, reader, rows, |reply| {
        match reply {
            Ok(Ok(reply)) => columns.answered(&reply),
            Ok(Err(error)) => columns.failed(&error.to_string()),
            Err(error) => columns.failed(&error),
        }
        Ok(())
    })?;
    columns.finish()
}
