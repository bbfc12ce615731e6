//! What validation of a packed matrix refuses. Kernels use its pointers and indices without looking at bounds.

extern crate alloc;

mod runner;

use core::ops::Range;

use blockspan_kernels::matrix::{
    HEADER_LEN, MAX_DIM, MatrixError, PackedMatrix, pack_input_block, pack_output_block,
};
use runner::products::aligned;

const ROWS: usize = 8;
const COLS: usize = 20;

/// Two matrices whose arrays all have gaps behind them and contents of every kind.
fn matrices() -> [Vec<u8>; 2] {
    let weights: Vec<i8> =
        (0..ROWS * COLS).map(|i| if i / 4 % 3 == 2 { 0 } else { (i % 100) as i8 - 40 }).collect();
    let (scales, bias) = ([0.5; ROWS], [-1.0; ROWS]);
    [
        pack_output_block(&weights, COLS, &scales, &bias).unwrap(),
        pack_input_block(&weights, COLS, 12, &scales, &bias).unwrap(),
    ]
}

fn validate(bytes: &[u8]) -> Result<usize, MatrixError> {
    let words = aligned(&[bytes, &[0; 4]].concat());
    let bytes = bytemuck::cast_slice(&words).get(..bytes.len()).unwrap();
    PackedMatrix::validate(bytes).map(|packed| packed.len_bytes())
}

/// Fails unless these bytes are refused for this reason.
#[track_caller]
fn refused(bytes: &[u8], reason: &str) {
    match validate(bytes) {
        Ok(_) => panic!("accepted, not refused because {reason}"),
        Err(error) => assert!(error.to_string().contains(reason), "refused because {error}, not {reason}"),
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn with_word(bytes: &[u8], at: usize, word: u32) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
    bytes
}

/// The places of a packed matrix' arrays, in bytes.
struct Places {
    scales: Range<usize>,
    bias: Range<usize>,
    sums: Range<usize>,
    pointers: Range<usize>,
    indices: Range<usize>,
    weights: Range<usize>,
}

impl Places {
    fn of(bytes: &[u8]) -> Self {
        let field = |i: usize| word(bytes, 4 * i) as usize;
        let (by_output, rows, groups) = (field(0) == 1, field(1), field(4));
        let pointers = if by_output { rows / 4 } else { field(2).div_ceil(field(3)) * rows } + 1;
        let mut next = HEADER_LEN;
        let mut array = |len: usize| {
            let start = next;
            next = (start + len).next_multiple_of(64);
            start..start + len
        };
        let (of_index, of_weights) = if by_output { (4, 16) } else { (1, 4) };
        Self {
            scales: array(4 * rows),
            bias: array(4 * rows),
            sums: array(4 * rows),
            pointers: array(4 * pointers),
            indices: array(of_index * groups),
            weights: array(of_weights * groups),
        }
    }

    fn all(&self) -> [Range<usize>; 6] {
        [&self.scales, &self.bias, &self.sums, &self.pointers, &self.indices, &self.weights].map(Range::clone)
    }
}

#[test]
fn what_was_packed_is_accepted() {
    for packed in matrices() {
        assert_eq!(validate(&packed), Ok(packed.len()));
        let words = aligned(&packed);
        let matrix = PackedMatrix::validate(bytemuck::cast_slice(&words)).unwrap().view().unwrap();
        assert_eq!((matrix.rows(), matrix.cols()), (ROWS, COLS));
        assert_eq!(
            (matrix.pattern().code(), matrix.kept_blocks()),
            (word(&packed, 0), word(&packed, 20) as usize)
        );
        let places = Places::of(&packed);
        assert_eq!(places.weights.end.next_multiple_of(64), packed.len());
        assert!(
            places.all().iter().all(|array| !array.is_empty() && array.len() % 64 != 0),
            "gaps everywhere"
        );
    }
}

#[test]
fn every_length_but_the_right_one_is_refused() {
    for packed in matrices() {
        for len in (0..packed.len()).chain(packed.len() + 1..packed.len() + 130) {
            let mut bytes = packed.clone();
            bytes.resize(len, 0);
            let reason = if len < HEADER_LEN { "shorter than its header" } else { "length differs" };
            refused(&bytes, reason);
        }
    }
}

#[test]
fn every_field_of_the_header_is_checked() {
    for packed in matrices() {
        let with_field = |i: usize, value: u32| with_word(&packed, 4 * i, value);
        let (by_output, cols, groups) = (word(&packed, 0) == 1, word(&packed, 8), word(&packed, 16));
        for pattern in [0, 3, u32::MAX] {
            refused(&with_field(0, pattern), "unknown block pattern");
        }
        for i in 1..4 {
            let value = word(&packed, 4 * i);
            for illegal in
                [0, 1, 2, 3, value + 1, value + 2, value - 1, MAX_DIM as u32 + 4, u32::MAX, u32::MAX - 3]
            {
                refused(&with_field(i, illegal), "multiples of 4 up to 65536");
            }
        }
        refused(&with_field(1, word(&packed, 4) + 64), "length differs");
        for panel_cols in [cols - 4, cols + 4] {
            if by_output {
                refused(&with_field(3, panel_cols), "must equal cols");
            }
        }
        if !by_output {
            refused(&with_field(3, 1028), "at most 1024");
        }
        // As many kept blocks as the section holds, and one more.
        let held = if by_output { 4 * groups } else { groups };
        assert!(validate(&with_field(5, held)).is_ok());
        refused(&with_field(5, held + 1), "kept_blocks");
        refused(&with_field(5, u32::MAX), "kept_blocks");
        // More groups than 1×4 blocks fit in.
        let room = (ROWS * COLS / 4) as u32;
        refused(&with_field(4, room + 1), "more blocks than");
        assert!(groups + 9 < room);
        refused(&with_field(4, room), "length differs");
        for i in 6..16 {
            for value in [1, u32::MAX] {
                refused(&with_field(i, value), "reserved header fields");
            }
        }
    }
    // The largest dimensions, for which Miri would take minutes.
    if cfg!(miri) {
        return;
    }
    for (rows, cols) in [(MAX_DIM, 4), (4, MAX_DIM)] {
        let (weights, ones) = (vec![1; rows * cols], vec![1.0; rows]);
        for packed in [
            pack_output_block(&weights, cols, &ones, &ones).unwrap(),
            pack_input_block(&weights, cols, 1024, &ones, &ones).unwrap(),
        ] {
            assert_eq!(validate(&packed), Ok(packed.len()), "{rows} × {cols}");
        }
    }
}

#[test]
fn the_pattern_of_another_matrix_is_refused() {
    for packed in matrices() {
        assert!(validate(&with_word(&packed, 0, 3 - word(&packed, 0))).is_err());
    }
}

#[test]
fn every_byte_between_the_arrays_is_checked() {
    for packed in matrices() {
        for array in Places::of(&packed).all() {
            for at in array.end..array.end.next_multiple_of(64) {
                let mut bytes = packed.clone();
                bytes[at] = 1;
                refused(&bytes, "bytes between the arrays");
            }
        }
    }
}

#[test]
fn every_scale_bias_sum_and_weight_is_checked() {
    for packed in matrices() {
        let places = Places::of(&packed);
        for at in places.scales.clone().step_by(4).chain(places.bias.clone().step_by(4)) {
            for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                refused(&with_word(&packed, at, value.to_bits()), "not finite");
            }
        }
        for at in places.scales.step_by(4) {
            refused(&with_word(&packed, at, (-0.5f32).to_bits()), "a scale is negative");
            assert!(validate(&with_word(&packed, at, 0)).is_ok(), "a scale of 0");
        }
        for at in places.bias.step_by(4) {
            assert!(validate(&with_word(&packed, at, (-0.5f32).to_bits())).is_ok(), "a negative bias");
        }
        for at in places.sums.step_by(4) {
            for change in [1, u32::MAX] {
                let sum = word(&packed, at).wrapping_add(change);
                refused(&with_word(&packed, at, sum), "a row sum differs");
            }
        }
        let start = places.weights.start;
        for at in places.weights {
            let mut bytes = packed.clone();
            bytes[at] = 0x80;
            refused(&bytes, "a weight is -128");
            // And another one.
            let mut two = bytes.clone();
            two[if at == start { start + 1 } else { start }] = 0x80;
            refused(&two, "a weight is -128");
            bytes[at] = packed[at].wrapping_add(1);
            refused(&bytes, if bytes[at] == 0x80 { "a weight is -128" } else { "a row sum differs" });
        }
    }
}

#[test]
fn every_pointer_is_checked() {
    for packed in matrices() {
        let (pointers, groups) = (Places::of(&packed).pointers, word(&packed, 16));
        for at in pointers.clone().step_by(4) {
            let value = word(&packed, at);
            let (first, last) = (at == pointers.start, at + 4 == pointers.end);
            for other in [value.wrapping_sub(1), value + 1, groups, groups + 1, u32::MAX] {
                if other == value {
                    continue;
                }
                let bytes = with_word(&packed, at, other);
                let next = if last { u32::MAX } else { word(&packed, at + 4) };
                let before = if first { 0 } else { word(&packed, at - 4) };
                if first || last || other < before || other > next {
                    refused(&bytes, "pointers do not run from 0");
                } else {
                    // In order, but another row's blocks.
                    assert!(validate(&bytes).is_err(), "pointer {}", (at - pointers.start) / 4);
                }
            }
        }
    }
}

/// As many tiles as hold every column once, and one more: an accumulator of more could overflow.
#[test]
fn more_blocks_in_a_row_than_columns_are_refused() {
    let (weights, ones) = ([1i8; 2 * 4 * 8], [1.0; 8]);
    let packed = pack_output_block(&weights, 8, &ones, &ones).unwrap();
    let pointers = Places::of(&packed).pointers;
    // Two tiles for each strip of 8 columns; three for the first.
    assert_eq!(word(&packed, pointers.start + 4), 2);
    refused(&with_word(&packed, pointers.start + 4, 3), "a strip has more columns");

    let packed = pack_input_block(&weights, 8, 8, &ones, &ones).unwrap();
    let pointers = Places::of(&packed).pointers;
    assert_eq!(word(&packed, pointers.start + 4), 2);
    refused(&with_word(&packed, pointers.start + 4, 3), "a row has more blocks");
}

/// The first and the last place of a panel, and the one behind it.
#[test]
fn every_index_is_checked() {
    let ones = [1.0; 4];
    // One row of blocks in panels of 3, 3 and 2; the last block of each panel is kept.
    let mut weights = [0i8; 4 * 32];
    for row in 0..4 {
        for block in [2, 5, 7] {
            weights[row * 32 + 4 * block..][..4].fill(1);
        }
    }
    let packed = pack_input_block(&weights, 32, 12, &ones, &ones).unwrap();
    let indices = Places::of(&packed).indices;
    assert_eq!(packed[indices.clone()], [2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1]);
    for (i, at) in indices.enumerate() {
        let width = if i < 8 { 3 } else { 2 };
        for index in 0..=u8::MAX {
            let mut bytes = packed.clone();
            bytes[at] = index;
            if index < width {
                assert!(validate(&bytes).is_ok(), "block {i}, place {index}");
            } else {
                refused(&bytes, "outside its panel");
            }
        }
    }

    // The last column is the sum of a strip's distances: 4, 5, 6, 7 of 8.
    let mut weights = [0i8; 8 * 8];
    weights.chunks_exact_mut(8).for_each(|row| row[4..].fill(1));
    let packed = pack_output_block(&weights, 8, &[1.0; 8], &[1.0; 8]).unwrap();
    let deltas = Places::of(&packed).indices;
    assert_eq!(packed[deltas.clone()], [4, 1, 1, 1, 4, 1, 1, 1]);
    for at in deltas {
        for delta in 0..=u8::MAX {
            let mut bytes = packed.clone();
            bytes[at] = delta;
            if delta <= packed[at] {
                assert!(validate(&bytes).is_ok(), "a column before the last");
            } else {
                refused(&bytes, "a column is not below");
            }
        }
    }
}

#[test]
fn packing_refuses_shapes_that_do_not_fit() {
    let (weights, ones) = (vec![1i8; 8 * 8 + 1], vec![1.0; MAX_DIM + 4]);
    let output = |weights: &[i8], cols, scales: usize, bias: usize| {
        pack_output_block(weights, cols, &ones[..scales], &ones[..bias])
    };
    let input = |weights: &[i8], cols, panel_cols, scales: usize, bias: usize| {
        pack_input_block(weights, cols, panel_cols, &ones[..scales], &ones[..bias])
    };
    assert!(output(&weights[..64], 8, 8, 8).is_ok() && input(&weights[..64], 8, 4, 8, 8).is_ok());
    for (weights, cols, scales, bias) in [
        (&weights[..63], 8, 8, 8),
        (&weights[..65], 8, 8, 8),
        (&weights[..64], 8, 8, 7),
        (&weights[..64], 8, 8, 9),
        (&weights[..0], 0, 8, 8),
        (&weights[..0], 8, 0, 0),
        (&weights[..48], 6, 8, 8),
        (&weights[..48], 8, 6, 6),
        (&[1; 4 * (MAX_DIM + 4)], MAX_DIM + 4, 4, 4),
        (&[1; 4 * (MAX_DIM + 4)], 4, MAX_DIM + 4, MAX_DIM + 4),
    ] {
        let case = (weights.len(), cols, scales, bias);
        assert!(output(weights, cols, scales, bias).is_err(), "{case:?}");
        assert!(input(weights, cols, 8, scales, bias).is_err(), "{case:?}");
    }
    for panel_cols in [0, 2, 6, 1028] {
        assert!(input(&weights[..64], 8, panel_cols, 8, 8).is_err(), "{panel_cols}");
    }
    for at in 0..64 {
        let mut weights = weights[..64].to_vec();
        weights[at] = i8::MIN;
        assert!(output(&weights, 8, 8, 8).is_err() && input(&weights, 8, 8, 8, 8).is_err(), "weight {at}");
    }
}

#[test]
fn bytes_that_are_not_aligned_are_refused() {
    for packed in matrices() {
        let words = aligned(&[[0; 4].as_slice(), &packed, &[0; 4]].concat());
        let bytes: &[u8] = bytemuck::cast_slice(&words);
        assert!(PackedMatrix::validate(&bytes[4..][..packed.len()]).is_ok());
        for shift in 1..4 {
            let mut moved = vec![0u32; words.len()];
            let moved: &mut [u8] = bytemuck::cast_slice_mut(&mut moved);
            moved[shift..][..packed.len()].copy_from_slice(&packed);
            assert!(PackedMatrix::validate(&moved[shift..][..packed.len()]).is_err(), "{shift}");
        }
    }
}
