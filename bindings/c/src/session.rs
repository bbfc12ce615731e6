//! Sessions: a model, a workspace, threads.

use std::sync::{Arc, Mutex};

use blockspan_engine::{Parallel, Runtime, Serial, ThreadPool};

use crate::call::{make, run};
use crate::failure::Failure;
use crate::memory::{Shelf, allocate};
use crate::model::Model;
use crate::pointers;
use crate::status::{ErrorMessage, Status};

/// The most threads of a session.
pub const MAX_THREADS: usize = 32;
const _: () = assert!(MAX_THREADS == blockspan_engine::MAX_THREADS);

/// Answers questions with one model in one workspace, for one thread at a time.
pub struct Session {
    // Fields are dropped in this order: the first borrows from the others.
    pub(crate) engine: Mutex<blockspan_engine::Session<'static>>,
    /// Tokens that windows share unless the caller says otherwise.
    pub(crate) doc_stride: usize,
    _workspace: Option<Shelf<[u8]>>,
    _pool: Option<Shelf<ThreadPool>>,
    _model: Arc<Model>,
}

/// How a session works. All zeros are the defaults.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct SessionOptions {
    /// Tokens of a window, 8 to the model's max_positions; 0 for the model's max_seq_len.
    pub max_seq_len: usize,
    /// Threads that compute, the caller's included, up to 32; 0 for 1. The answers are the same for any number.
    pub threads: usize,
}

impl SessionOptions {
    /// The window and the number of threads, checked.
    fn resolve(options: Option<&Self>, model: &Model) -> Result<(usize, usize), Failure<'static>> {
        let options = options.copied().unwrap_or_default();
        let config = model.engine().config();
        let max_seq_len = if options.max_seq_len == 0 { config.max_seq_len } else { options.max_seq_len };
        let most = config.max_positions;
        if !(8..=most).contains(&max_seq_len) {
            let error = blockspan_engine::Error::MaxSeqLen { asked: max_seq_len, most };
            return Err(error.into());
        }
        if options.threads > MAX_THREADS {
            let error = blockspan_engine::Error::Threads { asked: options.threads, most: MAX_THREADS };
            return Err(error.into());
        }
        Ok((max_seq_len, options.threads.max(1)))
    }
}

/// Bytes of workspace that a session with these options needs (NULL for the defaults); 0 if the model is NULL or
/// the options do not fit it, and then blockspan_session_new says why. The workspace may start at any byte.
///
/// # Safety
/// `model` is NULL or from this library and not freed; `options` is NULL or readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn blockspan_workspace_len(
    model: *const Model,
    options: *const SessionOptions,
) -> usize {
    let mut len = 0;
    let body = || {
        // SAFETY: the caller's promises for `model` and `options`.
        let (model, options) =
            unsafe { (pointers::get(model, "model")?, pointers::optional(options, "options")?) };
        let (max_seq_len, threads) = SessionOptions::resolve(options, model)?;
        len = model.engine().workspace_len(max_seq_len, threads);
        Ok(())
    };
    // SAFETY: NULL is always allowed.
    match unsafe { run(core::ptr::null_mut(), body) } {
        Status::Ok => len,
        _ => 0,
    }
}

/// Makes a session. `options` may be NULL for the defaults.
///
/// `workspace` is `workspace_len` bytes of the caller's (at least blockspan_workspace_len), of any content and
/// alignment, that nothing else uses until the session is freed; or NULL and 0, then the session allocates its own.
/// `*session` is NULL after an error, else to be given to blockspan_session_free.
///
/// # Safety
/// `model` is NULL or from this library and not freed; `options` is NULL or readable; `workspace` is NULL or as
/// stated; `session` and `error` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn blockspan_session_new(
    model: *const Model,
    options: *const SessionOptions,
    workspace: *mut u8,
    workspace_len: usize,
    session: *mut *mut Session,
    error: *mut ErrorMessage,
) -> Status {
    let body = || {
        // SAFETY: the caller's promises, pointer by pointer.
        let (borrowed, options, workspace) = unsafe {
            (
                pointers::get(model, "model")?,
                pointers::optional(options, "options")?,
                pointers::bytes_mut(workspace, workspace_len, "workspace")?,
            )
        };
        let (max_seq_len, threads) = SessionOptions::resolve(options, borrowed)?;
        let needed = borrowed.engine().workspace_len(max_seq_len, threads);
        // SAFETY: `model` is from `Arc::into_raw` and alive, by the caller's promise.
        let shared = unsafe {
            Arc::increment_strong_count(model);
            Arc::from_raw(model)
        };
        let (own, workspace): (_, &'static mut [u8]) = match workspace {
            None => {
                let own = Shelf::new(allocate(needed)?);
                // SAFETY: the shelf is kept by the session as long as the engine that borrows from it, and nobody
                // else looks into it.
                let bytes = unsafe { own.pointer().as_mut() };
                (Some(own), bytes)
            }
            Some(bytes) if bytes.len() < needed => {
                let error = blockspan_engine::Error::WorkspaceTooSmall { needed, found: bytes.len() };
                return Err(error.into());
            }
            Some(bytes) => (None, bytes),
        };
        let pool = (threads > 1).then(|| start(threads)).transpose()?;
        let parallel: &'static dyn Parallel = match &pool {
            // SAFETY: the shelf is kept by the session as long as the engine that borrows from it.
            Some(pool) => unsafe { pool.pointer().as_ref() },
            None => &Serial,
        };
        // SAFETY: `shared` is kept by the session as long as the engine that borrows from it.
        let model: &'static Model = unsafe { &*Arc::as_ptr(&shared) };
        let runtime = Runtime { parallel, ..Runtime::default() };
        let engine = blockspan_engine::Session::with(model.engine(), max_seq_len, workspace, runtime)?;
        let doc_stride = model.engine().config().doc_stride_for(max_seq_len);
        let made =
            Session { engine: Mutex::new(engine), doc_stride, _workspace: own, _pool: pool, _model: shared };
        Ok(Box::into_raw(Box::new(made)))
    };
    // SAFETY: the caller's promises for `session` and `error`.
    unsafe { make((session, "session", core::ptr::null_mut()), error, body) }
}

fn start(threads: usize) -> Result<Shelf<ThreadPool>, Failure<'static>> {
    let pool = ThreadPool::new(threads).map_err(|error| Failure::NoThreads(threads, error))?;
    Ok(Shelf::new(Box::new(pool)))
}

/// Ends a session; NULL is ignored.
///
/// # Safety
/// `session` is NULL or from this library, no thread is answering with it, and it is not used afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn blockspan_session_free(session: *mut Session) {
    if !session.is_null() {
        // SAFETY: from `Box::into_raw`, and given back once, by the caller's promise. Dropping it cannot panic.
        drop(unsafe { Box::from_raw(session) });
    }
}
