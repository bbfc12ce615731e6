//! The memory that the module grows by: the model, then the workspace, then the texts of a question.

use core::arch::wasm32::{memory_grow, memory_size};
use core::cell::Cell;

use crate::single::Single;

/// Bytes by which memory grows.
const PAGE: usize = 65_536;

/// What starts a multiple of so many bytes.
const ALIGN: usize = 64;

/// Addresses from `start` to `end`, at which the module's own data never lies.
#[derive(Clone, Copy)]
pub(crate) struct Region {
    start: usize,
    end: usize,
}

impl Region {
    const NONE: Self = Self { start: 0, end: 0 };

    /// `len` bytes from `start`, for which memory grows if it must; `None` if it cannot.
    fn new(start: usize, len: usize) -> Option<Self> {
        let end = start.checked_add(len)?;
        let missing = end.saturating_sub(memory_size(0).saturating_mul(PAGE));
        (missing == 0 || memory_grow(0, missing.div_ceil(PAGE)) != usize::MAX).then_some(Self { start, end })
    }

    /// Its bytes.
    ///
    /// # Safety
    /// Nobody writes to them during `'a`: not the host, and nothing that [`bytes_mut`](Self::bytes_mut) gave out.
    unsafe fn bytes<'a>(self) -> &'a [u8] {
        let start = core::ptr::with_exposed_provenance(self.start);
        // SAFETY: memory that `new` has grown to hold, which never shrinks, behind the module's own data. That
        // nobody changes it is the caller's promise.
        unsafe { core::slice::from_raw_parts(start, self.end - self.start) }
    }

    /// Its bytes, to write to.
    ///
    /// # Safety
    /// Nobody else reads or writes them during `'a`.
    unsafe fn bytes_mut<'a>(self) -> &'a mut [u8] {
        let start = core::ptr::with_exposed_provenance_mut(self.start);
        // SAFETY: as above; that nobody else uses it is the caller's promise.
        unsafe { core::slice::from_raw_parts_mut(start, self.end - self.start) }
    }
}

/// The model's region; fixed, and not the host's to write to any more, when `TEXTS` is somewhere.
static MODEL: Single<Cell<Region>> = Single::new(Cell::new(Region::NONE));

/// The texts' region; `NONE` until there is a workspace before it.
static TEXTS: Single<Cell<Region>> = Single::new(Cell::new(Region::NONE));

/// Room for a model of so many bytes: its address, a multiple of 64, or 0 if there is no room. Asked again for more,
/// the address and what was written stay as they are.
#[unsafe(no_mangle)]
pub extern "C" fn reserve_model(len: usize) -> usize {
    // Once there is a workspace the model has all it will get.
    if TEXTS.get().start != 0 {
        return 0;
    }
    let start = match MODEL.get().start {
        0 => memory_size(0).saturating_mul(PAGE),
        start => start,
    };
    match Region::new(start, len) {
        Some(region) => {
            MODEL.set(region);
            region.start
        }
        None => 0,
    }
}

/// Room for a question and a passage of so many bytes together: its address, or 0 if there is no room. What it held
/// may be gone.
#[unsafe(no_mangle)]
pub extern "C" fn reserve_texts(len: usize) -> usize {
    let texts = TEXTS.get();
    match Region::new(texts.start, len) {
        Some(region) if texts.start != 0 => {
            TEXTS.set(region);
            region.start
        }
        _ => 0,
    }
}

/// The first `len` bytes that the host has written for the model, if there is room for as many.
pub(crate) fn model(len: usize) -> Option<&'static [u8]> {
    let region = MODEL.get();
    // SAFETY: the host writes a model only before it calls `open_model`, and the workspace and the texts lie
    // behind it: `reserve_model` gives no more room when there are any, and before that `workspace` takes none.
    unsafe { region.bytes() }.get(..len).filter(|_| region.start != 0)
}

/// `len` bytes behind the model; `None` if there is no room, or if they were given out before.
pub(crate) fn workspace(len: usize) -> Option<&'static mut [u8]> {
    let model = MODEL.get();
    if TEXTS.get().start != 0 || model.start == 0 {
        return None;
    }
    let region = Region::new(model.end.checked_next_multiple_of(ALIGN)?, len)?;
    let texts = region.end.checked_next_multiple_of(ALIGN)?;
    TEXTS.set(Region { start: texts, end: texts });
    // SAFETY: behind the model, before the texts, and given out once: from now on `TEXTS` is somewhere.
    Some(unsafe { region.bytes_mut() })
}

/// What the host has written for a question and, behind it, a passage of these lengths.
pub(crate) fn texts<'a>(question: usize, passage: usize) -> Option<(&'a [u8], &'a [u8])> {
    // SAFETY: the host writes texts between calls only, and no call keeps them.
    let bytes = unsafe { TEXTS.get().bytes() };
    bytes.get(..question.checked_add(passage)?)?.split_at_checked(question)
}
