//! What the host may know of the model.

use core::cell::Cell;

use blockspan_engine::Session;

use crate::single::Single;

/// Shape, limits and metadata of the model that is open; zeros before that.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Info {
    /// The metadata section, UTF-8: lines `key: value` (`engine/FORMAT.md`).
    pub metadata: *const u8,
    /// Bytes of the metadata.
    pub metadata_len: usize,
    /// Tokens of the longest window of this session.
    pub max_seq_len: usize,
    /// Tokens that neighboring windows share by default.
    pub doc_stride: usize,
    /// Tokens of the longest window that the model has positions for.
    pub max_positions: usize,
    /// Encoder layers.
    pub layers: usize,
    /// Width of the hidden states.
    pub hidden: usize,
    /// The name of the instruction set, UTF-8.
    pub isa: *const u8,
    /// Bytes of that name.
    pub isa_len: usize,
}

static INFO: Single<Cell<Info>> = Single::new(Cell::new(Info {
    metadata: core::ptr::null(),
    metadata_len: 0,
    max_seq_len: 0,
    doc_stride: 0,
    max_positions: 0,
    layers: 0,
    hidden: 0,
    isa: core::ptr::null(),
    isa_len: 0,
}));

/// Fills it in.
pub(crate) fn describe(session: &Session<'_>, max_seq_len: usize, isa: &'static str) {
    let (config, metadata) = (session.model().config(), session.model().metadata());
    INFO.set(Info {
        metadata: metadata.as_ptr(),
        metadata_len: metadata.len(),
        max_seq_len,
        doc_stride: config.doc_stride_for(max_seq_len),
        max_positions: config.max_positions,
        layers: config.layers,
        hidden: config.hidden,
        isa: isa.as_ptr(),
        isa_len: isa.len(),
    });
}

/// Where it stands.
#[unsafe(no_mangle)]
pub extern "C" fn model_info() -> *const Info {
    INFO.as_ptr()
}
