//! `blockspan.Model`.

use std::path::PathBuf;

use blockspan_reader::engine;
use blockspan_reader::{Job, Reply, cores};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyType};

use crate::answer::{answers, dictionaries, document_answers};
use crate::arguments::{Ask, AskPipeline, Count, text};
use crate::arrow_in::batches;
use crate::arrow_out::RecordBatch;
use crate::batch::answer_batch;
use crate::failure::{answering, input};
use crate::files;
use crate::many::{Pairs, answer_documents, answer_many};
use crate::pool::{Pool, Setup};
use crate::waiting::wait;

/// More sessions than any machine has cores.
const MAX_SESSIONS: usize = 1024;

/// A model and its sessions.
///
/// The file at `path`, or the default model without one, is mapped and checked once in a process, whatever the number of
/// objects. Sessions, of one thread each, start with the first question: by default one on each core that the process may
/// use. `max_seq_len` is the longest window in tokens, by default the length that the model was packed for.
///
/// Raises `OSError` for a file that cannot be read, `ModelError` for one that is no model, `InputError` for numbers out of
/// range. Threads may share a model, it can be pickled (as its path), and it works in a child made by `fork`.
///
/// >>> import blockspan
/// >>> blockspan.Model(sessions=2)
/// blockspan.Model(sessions=2, max_seq_len=384)
#[pyclass(module = "blockspan", frozen, weakref)]
pub(crate) struct Model {
    pool: Pool,
    /// As it was given; `None` for the default model.
    path: Option<PathBuf>,
}

fn sessions(count: Option<Count>) -> PyResult<Option<usize>> {
    match Count::optional(count, "sessions")? {
        Some(sessions) if !(1..=MAX_SESSIONS).contains(&sessions) => {
            Err(input(format!("sessions must be 1 to {MAX_SESSIONS}")))
        }
        sessions => Ok(sessions),
    }
}

/// The default model, which is a file of the package.
fn default_path(py: Python<'_>) -> PyResult<PathBuf> {
    let package: PathBuf = py.import("blockspan")?.getattr("__file__")?.extract()?;
    Ok(package.with_file_name("default.bspan"))
}

impl Model {
    fn engine(&self) -> &engine::Model<'_> {
        self.pool.setup.model.model()
    }
}

#[pymethods]
impl Model {
    #[new]
    #[pyo3(signature = (path=None, *, sessions=None, max_seq_len=None))]
    fn new(
        py: Python<'_>,
        path: Option<PathBuf>,
        sessions: Option<Count>,
        max_seq_len: Option<Count>,
    ) -> PyResult<Self> {
        let sessions = self::sessions(sessions)?;
        let model = match &path {
            Some(path) => files::open(path)?,
            None => files::open(&default_path(py)?)?,
        };
        let config = model.model().config();
        let max_seq_len = Count::or(max_seq_len, "max_seq_len", config.max_seq_len)?;
        if !(8..=config.max_positions).contains(&max_seq_len) {
            let error = engine::Error::MaxSeqLen { asked: max_seq_len, most: config.max_positions };
            return Err(input(format!("max_seq_len: {error}")));
        }
        Ok(Self { pool: Pool::new(Setup { model, sessions, max_seq_len }), path })
    }

    /// The best answers, best first: at most `top_k`, each a span of the context. The list is empty where `null_diff` is above
    /// `null_threshold`; without that, every question has an answer.
    ///
    /// A context of any length is read in windows of `max_seq_len` tokens that share `doc_stride` of them. `n_best` spans (1
    /// to 64) share the score, a softmax. An answer has at most `max_answer_len` tokens; a question is cut to
    /// `max_query_length` of them. Other threads run meanwhile. Raises `InputError`.
    ///
    /// >>> import blockspan
    /// >>> model = blockspan.Model()
    /// >>> [answer] = model.answer("When was it built?", "The tower was built in 1862.")
    /// >>> answer.text, answer.start, answer.end
    /// ('1862', 23, 27)
    #[pyo3(signature = (question, context, top_k=Count::new(1), *, max_answer_len=Count::new(30), n_best=Count::new(20),
        null_threshold=None, max_query_length=None, doc_stride=None, max_seq_len=None),
        text_signature = "($self, question, context, top_k=1, *, max_answer_len=30, n_best=20, \
        null_threshold=None, max_query_length=None, doc_stride=None, max_seq_len=None)")]
    #[expect(clippy::too_many_arguments, reason = "Python's keywords")]
    fn answer<'py>(
        &self,
        py: Python<'py>,
        question: &Bound<'py, PyAny>,
        context: &Bound<'py, PyAny>,
        top_k: Count,
        max_answer_len: Count,
        n_best: Count,
        null_threshold: Option<f32>,
        max_query_length: Option<Count>,
        doc_stride: Option<Count>,
        max_seq_len: Option<Count>,
    ) -> PyResult<Bound<'py, PyList>> {
        let ask =
            Ask { top_k, max_answer_len, n_best, null_threshold, max_query_length, doc_stride, max_seq_len };
        let options = ask.options()?;
        let job = Job::new(text(question, "question")?, text(context, "context")?).with(options);
        let reader = self.pool.reader(py)?;
        // The queue may be full of other threads' questions, whose replies want the GIL.
        let ticket = py.detach(|| reader.submit(job));
        let reply = wait(py, ticket)?.map_err(|error| answering("", &error))?;
        answers(py, self.engine(), &reply)
    }

    /// What `answer` returns for each question, in order, on all sessions. `contexts` is one text for all questions, or one
    /// for each. `sessions` is for this call only. Ctrl-C ends it.
    ///
    /// A question that cannot be answered raises; with `return_exceptions` its exception stands in its place instead, and
    /// the others go on.
    ///
    /// >>> import blockspan
    /// >>> model = blockspan.Model()
    /// >>> context = "The tower was built in 1862 and stands 31 metres high."
    /// >>> for [answer] in model.answer_many(["When was it built?", "How high is it?"], context):
    /// ...     print(answer.text)
    /// 1862
    /// 31 metres
    #[pyo3(signature = (questions, contexts, top_k=Count::new(1), *, sessions=None, return_exceptions=false,
        max_answer_len=Count::new(30), n_best=Count::new(20), null_threshold=None, max_query_length=None,
        doc_stride=None, max_seq_len=None),
        text_signature = "($self, questions, contexts, top_k=1, *, \
        sessions=None, return_exceptions=False, max_answer_len=30, n_best=20, \
        null_threshold=None, max_query_length=None, doc_stride=None, max_seq_len=None)")]
    #[expect(clippy::too_many_arguments, reason = "Python's keywords")]
    fn answer_many<'py>(
        &self,
        py: Python<'py>,
        questions: &Bound<'py, PyAny>,
        contexts: &Bound<'py, PyAny>,
        top_k: Count,
        sessions: Option<Count>,
        return_exceptions: bool,
        max_answer_len: Count,
        n_best: Count,
        null_threshold: Option<f32>,
        max_query_length: Option<Count>,
        doc_stride: Option<Count>,
        max_seq_len: Option<Count>,
    ) -> PyResult<Bound<'py, PyList>> {
        let ask =
            Ask { top_k, max_answer_len, n_best, null_threshold, max_query_length, doc_stride, max_seq_len };
        let options = ask.options()?;
        let sessions = self::sessions(sessions)?;
        let pairs = Pairs::new(questions, contexts, true)?;
        let convert = |reply: &Reply| answers(py, self.engine(), reply);
        if sessions.is_some_and(|sessions| sessions != self.sessions()) {
            let reader = Setup { sessions, ..self.pool.setup.clone() }.build()?;
            let list = answer_many(py, &reader, pairs, options, return_exceptions, convert);
            py.detach(|| drop(reader));
            return list;
        }
        answer_many(py, &*self.pool.reader(py)?, pairs, options, return_exceptions, convert)
    }

    /// The best answers of all documents to a question, best first: at most `top_k`, and at most `per_document` of each.
    ///
    /// Answers are ranked by `margin`, which compares across documents; each `DocumentAnswer` names its document by number. A
    /// document that is empty has no answer, nor has one whose `null_diff` is above `null_threshold`.
    ///
    /// >>> import blockspan
    /// >>> model = blockspan.Model()
    /// >>> documents = ["The bakery opens at nine.", "The tower was built in 1862.", "Gulls nest on the rocks."]
    /// >>> [best] = model.answer_documents("When was the tower built?", documents, top_k=1)
    /// >>> best.text, best.document
    /// ('1862', 1)
    #[pyo3(signature = (question, documents, top_k=Count::new(5), *, per_document=Count::new(1),
        max_answer_len=Count::new(30), n_best=Count::new(20), null_threshold=None, max_query_length=None,
        doc_stride=None, max_seq_len=None),
        text_signature = "($self, question, documents, top_k=5, *, per_document=1, \
        max_answer_len=30, n_best=20, null_threshold=None, max_query_length=None, doc_stride=None, max_seq_len=None)")]
    #[expect(clippy::too_many_arguments, reason = "Python's keywords")]
    fn answer_documents<'py>(
        &self,
        py: Python<'py>,
        question: &Bound<'py, PyAny>,
        documents: &Bound<'py, PyAny>,
        top_k: Count,
        per_document: Count,
        max_answer_len: Count,
        n_best: Count,
        null_threshold: Option<f32>,
        max_query_length: Option<Count>,
        doc_stride: Option<Count>,
        max_seq_len: Option<Count>,
    ) -> PyResult<Bound<'py, PyList>> {
        let ask =
            Ask { top_k, max_answer_len, n_best, null_threshold, max_query_length, doc_stride, max_seq_len };
        let options = ask.ranking(per_document, self.max_seq_len())?;
        let ranking = answer_documents(py, &*self.pool.reader(py)?, question, documents, &options)?;
        document_answers(py, self.engine(), &ranking)
    }

    /// The best answer to each row of a batch, as Arrow's columns `answer`, `start`, `end`, `score`, `null_diff` and `error`.
    ///
    /// `batch` is anything with Arrow's PyCapsule interface (a record batch, a table, a data frame, a stream); `question` and
    /// `context` name its columns of texts. A row that cannot be answered has the reason in `error`, and the others go on.
    /// Without an answer (`null_threshold`) both `answer` and `error` are null. Raises `InputError` where a column is not
    /// there or holds no texts.
    #[pyo3(signature = (batch, question="question".to_owned(), context="context".to_owned(), *, max_answer_len=Count::new(30),
        n_best=Count::new(20), null_threshold=None, max_query_length=None, doc_stride=None, max_seq_len=None),
        text_signature = "($self, batch, question='question', context='context', *, max_answer_len=30, n_best=20, \
        null_threshold=None, max_query_length=None, doc_stride=None, max_seq_len=None)")]
    #[expect(clippy::too_many_arguments, reason = "Python's keywords")]
    fn answer_batch(
        &self,
        py: Python<'_>,
        batch: &Bound<'_, PyAny>,
        question: String,
        context: String,
        max_answer_len: Count,
        n_best: Count,
        null_threshold: Option<f32>,
        max_query_length: Option<Count>,
        doc_stride: Option<Count>,
        max_seq_len: Option<Count>,
    ) -> PyResult<RecordBatch> {
        let top_k = Count::new(1);
        let ask =
            Ask { top_k, max_answer_len, n_best, null_threshold, max_query_length, doc_stride, max_seq_len };
        // What is wrong with every row is no row's error.
        let options = ask.checked(self.max_seq_len())?;
        answer_batch(py, &*self.pool.reader(py)?, batches(batch)?, [&question, &context], options)
    }

    /// For `blockspan._pipeline`: a list of dictionaries for each pair, or its exception.
    #[expect(clippy::too_many_arguments, reason = "Python's keywords")]
    fn _answer_pipeline<'py>(
        &self,
        py: Python<'py>,
        questions: &Bound<'py, PyAny>,
        contexts: &Bound<'py, PyAny>,
        numbered: bool,
        top_k: Count,
        max_answer_len: Count,
        max_question_len: Count,
        doc_stride: Option<Count>,
        max_seq_len: Count,
        handle_impossible_answer: bool,
        align_to_words: bool,
    ) -> PyResult<Bound<'py, PyList>> {
        let ask = AskPipeline {
            top_k,
            max_answer_len,
            max_question_len,
            doc_stride,
            max_seq_len,
            handle_impossible_answer,
            align_to_words,
        };
        let options = ask.options()?;
        let pairs = Pairs::new(questions, contexts, numbered)?;
        let reader = self.pool.reader(py)?;
        answer_many(py, &reader, pairs, options, true, |reply| dictionaries(py, reply))
    }

    /// For `blockspan._pipeline`: the same model with sessions for windows of other lengths.
    fn _with_windows(&self, max_seq_len: usize) -> Self {
        let setup = Setup { max_seq_len, ..self.pool.setup.clone() };
        Self { pool: Pool::new(setup), path: self.path.clone() }
    }

    /// How many questions are read at the same time.
    #[getter]
    fn sessions(&self) -> usize {
        self.pool.setup.sessions.unwrap_or_else(cores)
    }

    /// Tokens of the longest window: question, context and three special tokens.
    #[getter]
    fn max_seq_len(&self) -> usize {
        self.pool.setup.max_seq_len
    }

    /// The most that `max_seq_len` may be.
    #[getter]
    fn max_positions(&self) -> usize {
        self.engine().config().max_positions
    }

    /// The threshold that the model's file recommends: where `null_diff` is above it, the context probably does not hold
    /// the answer. `None` for a file without one.
    #[getter]
    fn null_threshold(&self) -> Option<f32> {
        self.engine().null_threshold()
    }

    /// What whoever packed the model wrote about it, by key.
    #[getter]
    fn metadata<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let metadata = PyDict::new(py);
        for (key, value) in self.engine().metadata().lines().filter_map(|line| line.split_once(':')) {
            let key = key.trim();
            // The first of several counts, as for the engine.
            if !metadata.contains(key)? {
                metadata.set_item(key, value.trim())?;
            }
        }
        Ok(metadata)
    }

    fn __repr__(&self) -> String {
        let name = self.path.as_ref().map_or_else(String::new, |path| format!("{path:?}, "));
        format!("blockspan.Model({name}sessions={}, max_seq_len={})", self.sessions(), self.max_seq_len())
    }

    /// For pickle: the path and the settings, never the model.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let model = slf.get();
        let setup = &model.pool.setup;
        let rebuild = slf.py().import("blockspan._answer")?.getattr("rebuild")?;
        let class: Bound<'py, PyType> = slf.get_type();
        let settings = (class, model.path.as_ref(), setup.sessions, setup.max_seq_len);
        (rebuild, settings).into_pyobject(slf.py()).map(Bound::into_any)
    }
}
