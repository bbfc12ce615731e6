//! The smallest models (`tests/src/smallest.rs`), packed by `fuzz/pack-models.sh`, in the same order.

const MODELS: [&[u8]; 3] = [
    include_bytes!("../models/output-block.bspan"),
    include_bytes!("../models/input-block.bspan"),
    include_bytes!("../models/cased.bspan"),
];

/// One of them.
pub fn pick(number: u8) -> &'static [u8] {
    MODELS[usize::from(number) % MODELS.len()]
}
