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

    /// `len` bytes from `start`, for which memory grows if it must; `None` if it cannot, or if no slice can be as long.
    fn new(start: usize, len: usize) -> Option<Self> {
        let end = start.checked_add(isize::try_from(len).ok()?.unsigned_abs())?;
        let missing = end.saturating_sub(memory_size(0).saturating_mul(PAGE));
        (missing == 0 || memory_grow(0, missing.div_ceil(PAGE)) != usize::MAX).then_some(Self { start, end })
    }

    /// Itself if it is one that `new` has made.
    fn somewhere(self) -> Option<Self> {
        (self.start != 0).then_some(self)
    }

    /// Its bytes.
    ///
    /// # Safety
    /// `new` has made it, and nobody writes to it during `'a`: not the host, and nothing that
    /// [`bytes_mut`](Self::bytes_mut) gave out.
    unsafe fn bytes<'a>(self) -> &'a [u8] {
        let start = core::ptr::with_exposed_provenance(self.start);
        // SAFETY: not null, no longer than a slice may be, and memory that `new` has grown to hold, which never shrinks, behind the module's own
        // data. That nobody changes it is the caller's promise.
        unsafe { core::slice::from_raw_parts(start, self.end - self.start) }
    }

    /// Its bytes, to write to.
    ///
    /// # Safety
    /// `new` has made it, and nobody else reads or writes it during `'a`.
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
    if TEXTS.get().somewhere().is_some() {
        return 0;
    }
    let start = MODEL.get().somewhere().map_or(memory_size(0).saturating_mul(PAGE), |model| model.start);
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
    match TEXTS.get().somewhere().and_then(|texts| Region::new(texts.start, len)) {
        Some(region) => {
            TEXTS.set(region);
            region.start
        }
        None => 0,
    }
}

/// The first `len` bytes that the host has written for the model, if there is room for as many.
pub(crate) fn model(len: usize) -> Option<&'static [u8]> {
    let region = MODEL.get().somewhere()?;
    // SAFETY: it is somewhere, so `new` has made it. The host writes a model only before it calls `open_model`, and the
    // workspace and the texts lie behind it.
    unsafe { region.bytes() }.get(..len)
}

/// `len` bytes behind the model; `None` if there is no room, or if they were given out before.
pub(crate) fn workspace(len: usize) -> Option<&'static mut [u8]> {
    let model = MODEL.get().somewhere()?;
    if TEXTS.get().somewhere().is_some() {
        return None;
    }
    let region = Region::new(model.end.checked_next_multiple_of(ALIGN)?, len)?;
    let texts = region.end.checked_next_multiple_of(ALIGN)?;
    TEXTS.set(Region { start: texts, end: texts });
    // SAFETY: made by `new`, behind the model, before the texts, and given out once: from now on `TEXTS` is somewhere.
    Some(unsafe { region.bytes_mut() })
}

/// What the host has written for a question and, behind it, a passage of these lengths.
pub(crate) fn texts<'a>(question: usize, passage: usize) -> Option<(&'a [u8], &'a [u8])> {
    let region = TEXTS.get().somewhere()?;
    // SAFETY: it is somewhere, so its start is behind the workspace, which `new` has made, and `new` has made whatever it
    // holds. The host writes texts between calls only, and no call keeps them.
    let bytes = unsafe { region.bytes() };
    bytes.get(..question.checked_add(passage)?)?.split_at_checked(question)
}
