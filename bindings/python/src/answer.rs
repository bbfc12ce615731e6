//! Replies as `blockspan.Answer`s, as `blockspan.DocumentAnswer`s, and as the pipeline's dictionaries.

use blockspan_reader::engine::Model;
use blockspan_reader::{Ranking, Reply};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PyType};

/// `blockspan._answer.Answer`, a named tuple of Python's.
static ANSWER: PyOnceLock<Py<PyType>> = PyOnceLock::new();

/// `blockspan._answer.DocumentAnswer`, another.
static DOCUMENT_ANSWER: PyOnceLock<Py<PyType>> = PyOnceLock::new();

/// The reply as a list of the dictionaries that transformers' pipeline gives, best first.
pub(crate) fn dictionaries<'py>(py: Python<'py>, reply: &Reply) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    for answer in &reply.answers {
        let dictionary = PyDict::new(py);
        dictionary.set_item(intern!(py, "score"), answer.score)?;
        dictionary.set_item(intern!(py, "start"), answer.start_char)?;
        dictionary.set_item(intern!(py, "end"), answer.end_char)?;
        dictionary.set_item(intern!(py, "answer"), &answer.text)?;
        list.append(dictionary)?;
    }
    Ok(list)
}

/// The reply as a list of `Answer`s, best first.
pub(crate) fn answers<'py>(
    py: Python<'py>,
    model: &Model<'_>,
    reply: &Reply,
) -> PyResult<Bound<'py, PyList>> {
    let class = ANSWER.import(py, "blockspan._answer", "Answer")?;
    let null_diff = reply.null_diff;
    let answerable = model.answerable().map(|fitted| fitted.probability(null_diff));
    let list = PyList::empty(py);
    for answer in &reply.answers {
        let fields =
            (answer.text.as_str(), answer.score, answer.start_char, answer.end_char, null_diff, answerable);
        list.append(class.call1(fields)?)?;
    }
    Ok(list)
}

/// The ranking as a list of `DocumentAnswer`s, best first.
pub(crate) fn document_answers<'py>(
    py: Python<'py>,
    model: &Model<'_>,
    ranking: &Ranking,
) -> PyResult<Bound<'py, PyList>> {
    let class = DOCUMENT_ANSWER.import(py, "blockspan._answer", "DocumentAnswer")?;
    let fitted = model.answerable();
    let list = PyList::empty(py);
    for ranked in &ranking.answers {
        let answer = &ranked.answer;
        // As if this span were its document's best, so that it falls with the margin.
        let answerable = fitted.as_ref().map(|fitted| fitted.probability(-ranked.margin));
        let text = answer.text.as_str();
        let fields = (
            text,
            ranked.document,
            answer.start_char,
            answer.end_char,
            ranked.margin,
            answerable,
            answer.score,
        );
        list.append(class.call1(fields)?)?;
    }
    Ok(list)
}
