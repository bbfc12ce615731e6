//! `Model.answer_many`: many questions, in order; and `Model.answer_documents`: one question and many documents.

use std::sync::Arc;

use blockspan_reader::{Job, Options, RankOptions, Ranking, Reader, Reply};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString};

use crate::ahead::in_order;
use crate::arguments::text;
use crate::failure::{answering, input};

/// Questions and their contexts, not read yet.
pub(crate) struct Pairs<'py> {
    questions: Vec<Bound<'py, PyAny>>,
    contexts: Contexts<'py>,
    /// Whether messages say which pair they are about.
    numbered: bool,
    /// The context before, and its text: neighbors often share it.
    last: Option<(Bound<'py, PyAny>, Arc<str>)>,
}

enum Contexts<'py> {
    /// One for all questions.
    Same(Arc<str>),
    /// One for each.
    Each(Vec<Bound<'py, PyAny>>),
}

impl<'py> Pairs<'py> {
    /// `questions` is an iterable, `contexts` too, or one text for all.
    ///
    /// # Errors
    /// They are not, or not equally long.
    pub fn new(
        questions: &Bound<'py, PyAny>,
        contexts: &Bound<'py, PyAny>,
        numbered: bool,
    ) -> PyResult<Self> {
        let questions = items(questions, "questions")?;
        let contexts = if contexts.is_instance_of::<PyString>() {
            Contexts::Same(text(contexts, "contexts")?)
        } else {
            let contexts = items(contexts, "contexts")?;
            if contexts.len() != questions.len() {
                let (asked, given) = (questions.len(), contexts.len());
                return Err(input(format!(
                    "{asked} questions and {given} contexts; give a context for each question, or one str for all"
                )));
            }
            Contexts::Each(contexts)
        };
        Ok(Self { questions, contexts, numbered, last: None })
    }

    /// What messages call the question, or the context, at `index`.
    fn name(&self, kind: &str, index: usize) -> String {
        if self.numbered { format!("{kind}s[{index}]") } else { kind.to_owned() }
    }

    /// The texts of the pair at `index`, which there is.
    fn texts(&mut self, index: usize) -> PyResult<(Arc<str>, Arc<str>)> {
        let question = text(&self.questions[index], &self.name("question", index))?;
        let context = match &self.contexts {
            Contexts::Same(context) => Arc::clone(context),
            Contexts::Each(contexts) => match &self.last {
                Some((object, context)) if object.is(&contexts[index]) => Arc::clone(context),
                _ => {
                    let context = text(&contexts[index], &self.name("context", index))?;
                    self.last = Some((contexts[index].clone(), Arc::clone(&context)));
                    context
                }
            },
        };
        Ok((question, context))
    }
}

fn items<'py>(iterable: &Bound<'py, PyAny>, name: &str) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let is_text = iterable.is_instance_of::<PyString>() || iterable.is_instance_of::<PyBytes>();
    match iterable.try_iter() {
        Ok(items) if !is_text => items.collect(),
        _ => {
            let kind = iterable.get_type().name()?;
            Err(PyTypeError::new_err(format!("{name} must be an iterable of texts, not {kind}")))
        }
    }
}

/// Answers the pairs; what `convert` makes of each reply, in order. With `keep_errors` the exception stands in the place of a
/// pair that has no answers.
///
/// # Errors
/// Else why the first such pair has none; or what a signal's handler raises.
pub(crate) fn answer_many<'py>(
    py: Python<'py>,
    reader: &Reader,
    mut pairs: Pairs<'py>,
    options: Options,
    keep_errors: bool,
    convert: impl Fn(&Reply) -> PyResult<Bound<'py, PyList>>,
) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    let numbered = pairs.numbered;
    let jobs = (0..pairs.questions.len()).map(|index| {
        Ok(pairs.texts(index).map(|(question, context)| Job::new(question, context).with(options)))
    });
    in_order(py, reader, jobs, |reply| {
        let place = || if numbered { format!("questions[{}]: ", list.len()) } else { String::new() };
        let item = reply
            .and_then(|reply| reply.map_err(|error| answering(&place(), &error)))
            .and_then(|reply| convert(&reply));
        match item {
            Ok(item) => list.append(item),
            Err(error) if keep_errors => list.append(error.into_value(py)),
            Err(error) => Err(error),
        }
    })?;
    Ok(list)
}

/// Asks the documents, an iterable, the question.
///
/// # Errors
/// A document is no text, the question or an option cannot be, or a signal's handler raises.
pub(crate) fn answer_documents(
    py: Python<'_>,
    reader: &Reader,
    question: &Bound<'_, PyAny>,
    documents: &Bound<'_, PyAny>,
    options: &RankOptions,
) -> PyResult<Ranking> {
    let job_options = options.job_options().map_err(|error| input(error.to_string()))?;
    let question = text(question, "question")?;
    let jobs = items(documents, "documents")?.into_iter().enumerate().map(|(index, document)| {
        let document = text(&document, &format!("documents[{index}]"))?;
        Ok(Ok::<_, PyErr>(Job::new(Arc::clone(&question), document).with(job_options)))
    });
    let mut ranking = Ranking::default();
    in_order(py, reader, jobs, |reply| {
        ranking.add(reply?, options.top_k).map_err(|error| answering("", &error))
    })?;
    Ok(ranking)
}
