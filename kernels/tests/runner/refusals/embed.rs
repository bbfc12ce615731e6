//! Embeddings.

use alloc::vec;
use alloc::vec::Vec;

use blockspan_kernels::{Embeddings, Kernels, ShapeError, Table};

use super::{Call, at_least, exactly, number, unchanged};

const FEATURES: usize = 20;
/// Rows of the word pieces' and the segments' tables.
const WORDS: usize = 9;
const TYPES: usize = 2;
/// The first token's position.
const FIRST: usize = 3;

pub fn calls(lanes: usize) -> Vec<Call> {
    vec![embed(lanes, false), embed(lanes, true)]
}

/// Two tokens less than there are lanes, the last of which name the last rows. `half`: which tables are f16.
fn embed(lanes: usize, half: bool) -> Call {
    let tokens = lanes.saturating_sub(2).max(1);
    let sizes = vec![
        at_least("word", WORDS * FEATURES),
        at_least("word's scales", if half { 1 } else { WORDS }),
        at_least("type", TYPES * FEATURES),
        at_least("type's scales", if half { TYPES } else { 1 }),
        at_least("position", (FIRST + tokens) * FEATURES),
        number("tokens", tokens, &[0, 1], &[lanes + 1, lanes + 2]),
        number("word id", WORDS - 1, &[0], &[WORDS, u32::MAX as usize]),
        number("type id", TYPES - 1, &[0], &[TYPES, u32::MAX as usize]),
        number("first position", FIRST, &[0], &[FIRST + 1, usize::MAX, usize::MAX - tokens, usize::MAX / 2]),
        exactly("out", FEATURES * lanes),
    ];
    let run = move |kernels: &dyn Kernels, sizes: &[usize]| -> Result<(), ShapeError> {
        let &[word, word_scales, types, type_scales, position, tokens, id, type_id, first, out] = sizes
        else {
            unreachable!()
        };
        let (int8, halves) = (vec![1; word.max(types)], vec![0; word.max(types).max(position)]);
        let (word_scales, type_scales) = (vec![1.0; word_scales], vec![1.0; type_scales]);
        let tables = if half {
            Embeddings {
                word: Table::F16(&halves[..word]),
                token_type: Table::I8 { values: &int8[..types], scales: &type_scales },
                position: Table::F16(&halves[..position]),
            }
        } else {
            Embeddings {
                word: Table::I8 { values: &int8[..word], scales: &word_scales },
                token_type: Table::F16(&halves[..types]),
                position: Table::F16(&halves[..position]),
            }
        };
        let mut ids = vec![[0; 2]; tokens];
        if let Some(last) = ids.last_mut() {
            *last = [id as u32, type_id as u32];
        }
        let mut out = vec![7.0; out];
        unchanged!(kernels.embed(&tables, &ids, first, lanes, &mut out), out = 7.0)
    };
    let mut call = Call::new("embed", sizes, run);
    // The scales that this form has none of.
    call.sizes[if half { 1 } else { 3 }] = number("nothing", 0, &[], &[]);
    let mut all = call.fitting();
    (all[4], all[5]) = ((FIRST + lanes) * FEATURES, lanes);
    call.accepts(all)
}
