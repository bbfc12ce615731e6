//! From dense int8 to packed bytes.

use alloc::vec::Vec;

use super::section::{HEADER_LEN, MAX_DIM, MAX_PANEL_COLS, MatrixError, Pattern, Shape};

/// Packs `weights[rows][cols]` by blocks of 4 outputs × 1 input; blocks of zeros are left out.
///
/// `scales` and `bias`: `[rows]`.
///
/// # Errors
/// Shapes that do not fit, or a weight of −128.
pub fn pack_output_block(
    weights: &[i8],
    cols: usize,
    scales: &[f32],
    bias: &[f32],
) -> Result<Vec<u8>, MatrixError> {
    let rows = check(weights, cols, scales, bias, cols)?;
    let mut packed = Blocks::default();
    for strip in weights.chunks_exact(4 * cols) {
        let at = |row: usize, col: usize| strip.get(row * cols + col).copied().unwrap_or(0);
        let columns: Vec<usize> = (0..cols).filter(|&col| (0..4).any(|row| at(row, col) != 0)).collect();
        packed.kept += columns.len();
        let columns = with_bridges(&columns);
        let mut before = 0;
        for tile in columns.chunks(4) {
            for i in 0..4 {
                let column = tile.get(i).copied().unwrap_or(before);
                packed.indices.push((column - before) as u8);
                before = column;
            }
            for row in 0..4 {
                packed.weights.extend((0..4).map(|i| tile.get(i).map_or(0, |&col| at(row, col))));
            }
            packed.groups += 1;
        }
        packed.pointers.push(packed.groups as u32);
    }
    Ok(packed.write(Pattern::OutputBlock, rows, cols, cols, weights, scales, bias))
}

/// Columns, ascending, with others added so that a byte holds each distance, that of the first to column 0 included.
fn with_bridges(columns: &[usize]) -> Vec<usize> {
    let (mut bridged, mut before) = (Vec::new(), 0);
    for &column in columns {
        while column - before > usize::from(u8::MAX) {
            before += usize::from(u8::MAX);
            bridged.push(before);
        }
        bridged.push(column);
        before = column;
    }
    bridged
}

/// Packs `weights[rows][cols]` by blocks of 1 output × 4 inputs, in panels of `panel_cols` columns, at most
/// [`MAX_PANEL_COLS`]; blocks of zeros are left out.
///
/// # Errors
/// Shapes that do not fit, or a weight of −128.
pub fn pack_input_block(
    weights: &[i8],
    cols: usize,
    panel_cols: usize,
    scales: &[f32],
    bias: &[f32],
) -> Result<Vec<u8>, MatrixError> {
    if panel_cols > MAX_PANEL_COLS {
        return Err(MatrixError("panel_cols of an input-block matrix must be at most 1024"));
    }
    let rows = check(weights, cols, scales, bias, panel_cols)?;
    let mut packed = Blocks::default();
    for panel in (0..cols).step_by(panel_cols) {
        for row in weights.chunks_exact(cols) {
            let columns = row.get(panel..cols.min(panel + panel_cols)).unwrap_or(&[]);
            for (block, index) in columns.chunks_exact(4).zip(0..=u8::MAX) {
                if block.iter().any(|&w| w != 0) {
                    packed.indices.push(index);
                    packed.weights.extend_from_slice(block);
                    packed.groups += 1;
                    packed.kept += 1;
                }
            }
            packed.pointers.push(packed.groups as u32);
        }
    }
    Ok(packed.write(Pattern::InputBlock, rows, cols, panel_cols, weights, scales, bias))
}

fn check(
    weights: &[i8],
    cols: usize,
    scales: &[f32],
    bias: &[f32],
    panel_cols: usize,
) -> Result<usize, MatrixError> {
    let rows = scales.len();
    let legal = |n: usize| n > 0 && n.is_multiple_of(4) && n <= MAX_DIM;
    if !legal(rows) || !legal(cols) || !legal(panel_cols) {
        return Err(MatrixError("rows, cols and panel_cols must be multiples of 4 up to 65536"));
    }
    // Checked: on 32-bit machines 65,536² wraps to 0.
    if Some(weights.len()) != rows.checked_mul(cols) || bias.len() != rows {
        return Err(MatrixError("weights, scales and bias do not fit each other"));
    }
    if weights.contains(&i8::MIN) {
        return Err(MatrixError("a weight is -128"));
    }
    Ok(rows)
}

#[derive(Default)]
struct Blocks {
    groups: usize,
    kept: usize,
    pointers: Vec<u32>,
    indices: Vec<u8>,
    weights: Vec<i8>,
}

impl Blocks {
    #[expect(clippy::too_many_arguments, reason = "one call per pattern, all fields of the section")]
    fn write(
        mut self,
        pattern: Pattern,
        rows: usize,
        cols: usize,
        panel_cols: usize,
        dense: &[i8],
        scales: &[f32],
        bias: &[f32],
    ) -> Vec<u8> {
        self.pointers.insert(0, 0);
        let sums: Vec<i32> =
            dense.chunks_exact(cols).map(|row| row.iter().map(|&w| i32::from(w)).sum()).collect();
        let shape = Shape { pattern, rows, cols, panel_cols, groups: self.groups, kept_blocks: self.kept };
        let mut header = [0u32; HEADER_LEN / 4];
        let fields = [
            pattern.code(),
            rows as u32,
            cols as u32,
            panel_cols as u32,
            self.groups as u32,
            self.kept as u32,
        ];
        header.iter_mut().zip(fields).for_each(|(slot, field)| *slot = field);
        let mut bytes = Vec::new();
        let arrays: [&[u8]; 7] = [
            bytemuck::cast_slice(&header),
            bytemuck::cast_slice(scales),
            bytemuck::cast_slice(bias),
            bytemuck::cast_slice(&sums),
            bytemuck::cast_slice(&self.pointers),
            &self.indices,
            bytemuck::cast_slice(&self.weights),
        ];
        debug_assert!(arrays.iter().skip(1).map(|a| a.len()).eq(shape.array_bytes()));
        for array in arrays {
            bytes.extend_from_slice(array);
            bytes.resize(bytes.len().next_multiple_of(64), 0);
        }
        bytes
    }
}
