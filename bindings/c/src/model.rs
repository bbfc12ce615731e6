//! Models: opened or borrowed, counted, shared.

use core::ffi::{CStr, c_char};
use std::io;
use std::path::Path;
use std::sync::Arc;

use blockspan_engine::{AlignedBytes, MappedFile, ParseError, Trusted};

use crate::call::{make, run};
use crate::failure::Failure;
use crate::pointers;
use crate::status::{ErrorMessage, Status};

/// A model. Any number of threads may use it at a time. It lives until blockspan_model_free and until the last of
/// its sessions is freed, in any order.
pub struct Model {
    /// Borrows from `_owner`. It is `Copy`: nothing is read from it on drop.
    engine: blockspan_engine::Model<'static>,
    _owner: Owner,
}

/// Whose a model's bytes are. What is inside is kept, never looked at.
#[expect(dead_code, reason = "held for their destructors")]
enum Owner {
    Caller,
    Mapped(MappedFile),
    Copied(AlignedBytes),
}

impl Model {
    pub(crate) fn engine(&self) -> &blockspan_engine::Model<'static> {
        &self.engine
    }

    fn into_handle(engine: blockspan_engine::Model<'static>, owner: Owner) -> *const Self {
        Arc::into_raw(Arc::new(Self { engine, _owner: owner }))
    }
}

/// What a model is like.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelInfo {
    /// Width of the hidden states.
    pub hidden: usize,
    /// Encoder layers.
    pub layers: usize,
    /// Word pieces.
    pub vocab: usize,
    /// The longest window, in tokens.
    pub max_positions: usize,
    /// The default window, in tokens.
    pub max_seq_len: usize,
    /// Tokens that neighboring windows share by default.
    pub doc_stride: usize,
}

/// Opens a *.bspan file: maps it into memory and checks every byte that is relied on later. `path` is
/// zero-terminated.
///
/// `*model` is NULL after an error, else to be given to blockspan_model_free.
///
/// Nothing is copied: the pages are the file's own, and processes that map the same file share them. So nobody may
/// write to the file or shorten it until the model and all its sessions are freed; otherwise answers may be wrong,
/// later calls may read anywhere in memory, and the system may end the program (SIGBUS). To replace a model, write the
/// new file beside it and rename it over the old one: programs that have the old one open keep it as it was. Where
/// that cannot be relied on, use blockspan_model_read.
///
/// # Safety
/// `path` is NULL or zero-terminated; `model` and `error` are NULL or writable; the file stays as it is, as stated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn blockspan_model_open(
    path: *const c_char,
    model: *mut *const Model,
    error: *mut ErrorMessage,
) -> Status {
    let open = |path: &Path| {
        // SAFETY: that nobody changes the file while the model lives is asked of the caller above.
        let file = unsafe { MappedFile::open(path) }?;
        // SAFETY: a mapping stays where it is while its owner moves, and `Model` keeps it as long as what is
        // borrowed from it. That the file does not change is asked of the caller above.
        let bytes = unsafe { core::slice::from_raw_parts(file.bytes().as_ptr(), file.bytes().len()) };
        Ok((bytes, Owner::Mapped(file)))
    };
    // SAFETY: the caller's promises.
    unsafe { from_file(path, model, error, open) }
}

/// As blockspan_model_open, but reads the file into memory of its own, as much as the file is long: what happens to
/// the file afterwards does not matter.
///
/// # Safety
/// `path` is NULL or zero-terminated; `model` and `error` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn blockspan_model_read(
    path: *const c_char,
    model: *mut *const Model,
    error: *mut ErrorMessage,
) -> Status {
    let read = |path: &Path| {
        let copy = AlignedBytes::read_file(path)?;
        // SAFETY: the bytes are on the heap and stay where they are while their owner moves; `Model` keeps it as long
        // as what is borrowed from it, and nobody writes to it.
        let bytes = unsafe { core::slice::from_raw_parts(copy.as_ptr(), copy.len()) };
        Ok((bytes, Owner::Copied(copy)))
    };
    // SAFETY: the caller's promises.
    unsafe { from_file(path, model, error, read) }
}

/// # Safety
/// As `blockspan_model_read`; `open` may ask for more. The bytes that it returns live as long as their owner.
unsafe fn from_file(
    path: *const c_char,
    model: *mut *const Model,
    error: *mut ErrorMessage,
    open: impl FnOnce(&Path) -> io::Result<(&'static [u8], Owner)>,
) -> Status {
    let body = || {
        pointers::check(path, "path")?;
        // SAFETY: not NULL, checked above; zero-terminated by the caller's promise.
        let path = unsafe { CStr::from_ptr(path) };
        let path = to_path(path)?;
        let (bytes, owner) = open(path).map_err(Failure::CannotOpen)?;
        let engine =
            blockspan_engine::Model::parse(bytes).map_err(|error| Failure::InvalidFile(path, error))?;
        Ok(Model::into_handle(engine, owner))
    };
    // SAFETY: the caller's promises for `model` and `error`.
    unsafe { make((model, "model", core::ptr::null()), error, body) }
}

/// A model from `len` bytes in memory, with the checks of blockspan_model_open. Nothing is copied: the bytes must start
/// at a multiple of 64, and stay where they are and as they are until the model and all its sessions are freed.
///
/// # Safety
/// `bytes` is NULL or points to `len` bytes that live and stay the same as stated; `model` and `error` are NULL or
/// writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn blockspan_model_from_bytes(
    bytes: *const u8,
    len: usize,
    model: *mut *const Model,
    error: *mut ErrorMessage,
) -> Status {
    // SAFETY: the caller's promises.
    unsafe { from_bytes(bytes, len, model, error, blockspan_engine::Model::parse) }
}

/// As blockspan_model_from_bytes, but only the header, the table of sections, shapes and the tokenizer are checked,
/// not the weights: for bytes that nobody can have changed since they were checked, such as flash. Bytes that
/// blockspan_model_from_bytes would refuse may make later calls read anywhere in memory.
///
/// # Safety
/// As blockspan_model_from_bytes, which must accept these bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn blockspan_model_from_trusted_bytes(
    bytes: *const u8,
    len: usize,
    model: *mut *const Model,
    error: *mut ErrorMessage,
) -> Status {
    // SAFETY: the caller's promises; that the bytes would be accepted is one of them.
    unsafe {
        from_bytes(bytes, len, model, error, |bytes| {
            blockspan_engine::Model::parse_trusted(Trusted::new(bytes))
        })
    }
}

/// # Safety
/// As `blockspan_model_from_bytes`; `parse` may ask for more.
unsafe fn from_bytes(
    bytes: *const u8,
    len: usize,
    model: *mut *const Model,
    error: *mut ErrorMessage,
    parse: impl FnOnce(&'static [u8]) -> Result<blockspan_engine::Model<'static>, ParseError>,
) -> Status {
    let body = || {
        // An empty slice is no model either, but a NULL pointer deserves its own message.
        pointers::check(bytes, "bytes")?;
        // SAFETY: the caller's promise for `bytes`.
        let bytes: &'static [u8] = unsafe { pointers::slice(bytes, len, "bytes") }?;
        let engine = parse(bytes).map_err(Failure::InvalidBytes)?;
        Ok(Model::into_handle(engine, Owner::Caller))
    };
    // SAFETY: the caller's promises for `model` and `error`.
    unsafe { make((model, "model", core::ptr::null()), error, body) }
}

#[cfg(unix)]
fn to_path(path: &CStr) -> Result<&Path, Failure<'static>> {
    use std::os::unix::ffi::OsStrExt;
    Ok(Path::new(std::ffi::OsStr::from_bytes(path.to_bytes())))
}

#[cfg(not(unix))]
fn to_path(path: &CStr) -> Result<&Path, Failure<'static>> {
    path.to_str().map(Path::new).map_err(|error| Failure::NotUtf8("path", error.valid_up_to()))
}

/// Says what a model is like.
///
/// # Safety
/// `model` is NULL or from this library and not freed; `info` and `error` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn blockspan_model_describe(
    model: *const Model,
    info: *mut ModelInfo,
    error: *mut ErrorMessage,
) -> Status {
    let body = || {
        // SAFETY: the caller's promise for `model`.
        let config = unsafe { pointers::get(model, "model") }?.engine.config();
        let described = ModelInfo {
            hidden: config.hidden,
            layers: config.layers,
            vocab: config.vocab,
            max_positions: config.max_positions,
            max_seq_len: config.max_seq_len,
            doc_stride: config.doc_stride,
        };
        // SAFETY: the caller's promise for `info`.
        unsafe { pointers::write(info, "info", described) }
    };
    // SAFETY: the caller's promise for `error`.
    unsafe { run(error, body) }
}

/// Gives a model back; NULL is ignored. Sessions that use it go on; its memory goes with the last of them.
///
/// # Safety
/// `model` is NULL or from this library, and is not used afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn blockspan_model_free(model: *const Model) {
    if !model.is_null() {
        // SAFETY: from `Arc::into_raw`, and given back once, by the caller's promise. Dropping it cannot panic.
        drop(unsafe { Arc::from_raw(model) });
    }
}

/// The null_threshold that the model's file recommends, for blockspan_options; INFINITY, with which every question has
/// an answer, if it recommends none or `model` is not valid.
///
/// # Safety
/// `model` is NULL or from this library and not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn blockspan_model_null_threshold(model: *const Model) -> f32 {
    let mut threshold = f32::INFINITY;
    let body = || {
        // SAFETY: the caller's promise for `model`.
        let model = unsafe { pointers::get(model, "model") }?;
        threshold = model.engine.null_threshold().unwrap_or(f32::INFINITY);
        Ok(())
    };
    // SAFETY: NULL is always allowed. What became of the call is in the number.
    let _ = unsafe { run(core::ptr::null_mut(), body) };
    threshold
}

/// The probability, 0 to 1, that a passage holds an answer, given blockspan_outcome.null_diff; NAN if the model's file
/// does not tell how the one follows from the other, or `model` is not valid.
///
/// # Safety
/// `model` is NULL or from this library and not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn blockspan_model_answerable(model: *const Model, null_diff: f32) -> f32 {
    let mut probability = f32::NAN;
    let body = || {
        // SAFETY: the caller's promise for `model`.
        let model = unsafe { pointers::get(model, "model") }?;
        probability = model.engine.answerable().map_or(f32::NAN, |fitted| fitted.probability(null_diff));
        Ok(())
    };
    // SAFETY: NULL is always allowed. What became of the call is in the number.
    let _ = unsafe { run(core::ptr::null_mut(), body) };
    probability
}
