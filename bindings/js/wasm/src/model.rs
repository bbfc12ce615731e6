//! The model, and questions to it.

use core::cell::{OnceCell, RefCell};
use core::fmt::Display;

use blockspan_engine::span::MAX_N_BEST;
use blockspan_engine::{Answer, AnswerOptions, Error, Model, ParseError, Runtime, Session};

use crate::single::Single;
use crate::status::Status;
use crate::{info, line, memory, reply};

static MODEL: Single<OnceCell<Model<'static>>> = Single::new(OnceCell::new());
static SESSION: Single<RefCell<Option<Session<'static>>>> = Single::new(RefCell::new(None));

/// For `max_seq_len` and `doc_stride`: those of the model. For `max_query_length`: no limit.
const DEFAULT: usize = usize::MAX;

/// Why a call failed.
enum Failure {
    /// The bytes are no model.
    Parse(ParseError),
    /// The engine refuses.
    Engine(Error),
    /// There is no memory for so many bytes of workspace.
    NoMemory(usize),
    /// A call that was not due.
    Order(&'static str),
}

impl Failure {
    fn say(&self) -> Status {
        let (status, reason): (_, &dyn Display) = match self {
            Self::Parse(error) => (Status::Model, error),
            Self::Engine(error) => (Status::from(error), error),
            Self::NoMemory(len) => {
                line::say(&format_args!(
                    "no memory for a workspace of {len} bytes; use a smaller max_seq_len"
                ));
                return Status::Memory;
            }
            Self::Order(reason) => (Status::Internal, reason),
        };
        line::say(reason);
        status
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Engine(error)
    }
}

fn status(result: Result<(), Failure>) -> Status {
    result.map_or_else(|failure| failure.say(), |()| Status::Ok)
}

/// Checks the model of `len` bytes that the host has written, and makes a session with windows of `max_seq_len` tokens
/// ([`usize::MAX`]: as many as the model was packed for). Once for an instance: after a failure make another.
#[unsafe(no_mangle)]
pub extern "C" fn open_model(len: usize, max_seq_len: usize) -> Status {
    status(open(len, max_seq_len))
}

fn open(len: usize, max_seq_len: usize) -> Result<(), Failure> {
    const AGAIN: Failure = Failure::Order("this instance has a model already");
    if MODEL.get().is_some() {
        return Err(AGAIN);
    }
    let bytes = memory::model(len).ok_or(Failure::Order("open_model before reserve_model"))?;
    let parsed = Model::parse(bytes).map_err(Failure::Parse)?;
    // `get_or_init` would hold a panic.
    let _ = MODEL.set(parsed);
    let model = MODEL.get().ok_or(AGAIN)?;
    let config = model.config();
    let max_seq_len = if max_seq_len == DEFAULT { config.max_seq_len } else { max_seq_len };
    if max_seq_len > config.max_positions {
        return Err(Error::MaxSeqLen { asked: max_seq_len, most: config.max_positions }.into());
    }
    let needed = model.workspace_len(max_seq_len, 1);
    let workspace = memory::workspace(needed).ok_or(Failure::NoMemory(needed))?;
    let runtime = Runtime::default();
    let session = Session::with(model, max_seq_len, workspace, runtime)?;
    info::describe(&session, max_seq_len, runtime.kernels.isa().name());
    let mut place = SESSION.try_borrow_mut().map_err(|_| Failure::Order("open_model within a call"))?;
    *place = Some(session);
    Ok(())
}

/// Answers the question of `question` bytes from the passage of `passage` bytes behind it; writes up to `top_k` answers
/// (64 at most). The options are those of [`AnswerOptions`]; [`usize::MAX`] as `doc_stride` is the session's, as
/// `max_query_length` no limit.
#[unsafe(no_mangle)]
pub extern "C" fn answer(
    question: usize,
    passage: usize,
    top_k: usize,
    n_best: usize,
    max_answer_len: usize,
    doc_stride: usize,
    max_query_length: usize,
    null_threshold: f32,
) -> Status {
    let doc_stride = (doc_stride != DEFAULT).then_some(doc_stride);
    let options = AnswerOptions { max_answer_len, n_best, null_threshold, max_query_length, doc_stride };
    status(ask(question, passage, top_k, &options))
}

fn ask(question: usize, passage: usize, top_k: usize, options: &AnswerOptions) -> Result<(), Failure> {
    const EARLY: Failure = Failure::Order("answer before open_model and reserve_texts");
    let (question, passage) = memory::texts(question, passage).ok_or(EARLY)?;
    let mut session = SESSION.try_borrow_mut().map_err(|_| EARLY)?;
    let session = session.as_mut().ok_or(EARLY)?;
    let mut answers = [Answer::default(); MAX_N_BEST];
    let room = answers.get_mut(..top_k.min(MAX_N_BEST)).unwrap_or_default();
    let outcome = session.answer_bytes(question, passage, options, room)?;
    reply::write(passage, &outcome, &answers);
    Ok(())
}
