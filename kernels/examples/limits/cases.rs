//! What is measured.

use blockspan_kernels::layout::{TokenTiles, score_lanes};
use blockspan_kernels::matrix::{Matrix, PackedMatrix, pack_input_block, pack_output_block};
use blockspan_kernels::{DenseRows, Embeddings, Epilogue, Kernels, Table};

use super::measure::{Aligned, noise, shortest, shortest_in_parts};
use super::peak;
use super::report::{LimitsReport, Measurement};

/// Measures one instruction set's kernels.
pub struct Cases<'a> {
    pub kernels: &'a dyn Kernels,
    pub report: &'a mut LimitsReport,
    /// Only kernels with this in their name.
    pub filter: &'a str,
}

/// Outputs, inputs, name of the epilogue: BERT-Large's query, intermediate and output matrices.
const SHAPES: [(usize, usize, &str); 4] =
    [(1024, 1024, "store"), (1024, 1024, "add"), (4096, 1024, "max"), (1024, 4096, "add")];

const TOKENS: [usize; 4] = [16, 48, 128, 384];

impl Cases<'_> {
    /// The block-sparse products, 80 % of the blocks zero.
    pub fn products(&mut self, panel_cols: usize) {
        let peak = peak::dot_products(self.kernels.isa());
        self.report.heading(&match peak {
            Some(peak) => format!("int8 dot products, peak {:.0} GMAC/s", peak / 1e9),
            None => "int8 dot products".into(),
        });
        for pattern in ["output-block", "input-block"] {
            for (rows, cols, epilogue) in SHAPES {
                let weights = sparse(rows, cols, pattern == "output-block");
                let (scales, bias) = (vec![1e-3; rows], vec![0.1; rows]);
                let packed = match pattern {
                    "output-block" => pack_output_block(&weights, cols, &scales, &bias),
                    _ => pack_input_block(&weights, cols, panel_cols.min(cols), &scales, &bias),
                };
                let packed = packed.expect("shapes fit");
                let packed = Aligned::new(packed.len(), |i| packed[i]);
                let matrix =
                    PackedMatrix::validate(&packed).ok().and_then(|m| m.view()).expect("just packed");
                for tokens in TOKENS {
                    let kernel = format!("{pattern} {rows}×{cols} {epilogue}, {tokens} tokens");
                    if kernel.contains(self.filter) {
                        self.product(kernel, &matrix, tokens, epilogue);
                    }
                }
            }
        }
    }

    fn product(&mut self, kernel: String, matrix: &Matrix<'_>, tokens: usize, epilogue: &str) {
        let (tiles, kernels) = (TokenTiles::new(tokens), self.kernels);
        let (rows, cols) = (matrix.rows(), matrix.cols());
        let x_tiles = match matrix {
            Matrix::OutputBlock(_) => tiles.of_rows(),
            Matrix::InputBlock(_) => tiles,
        };
        let x = Aligned::new(x_tiles.padded() * cols, |i| noise(i) as i8);
        let mut out = Aligned::new(tiles.padded() * rows, |_| 0f32);
        let (x_scales, mut max, smoothing) = ([1e-3; 64], [0f32; 64], vec![1.0; rows]);
        let call = |tile| {
            let lanes = tiles.lanes(tile);
            let x = &x[x_tiles.offset(tile, cols)..x_tiles.offset(tile + 1, cols)];
            let out = &mut out[tiles.offset(tile, rows)..tiles.offset(tile + 1, rows)];
            let epilogue = match epilogue {
                "store" => Epilogue::Store,
                "add" => Epilogue::Add { smoothing: &smoothing },
                _ => Epilogue::Max { max: &mut max[..lanes] },
            };
            let (strips, scales) = (0..rows / 4, &x_scales[..lanes]);
            let result = match matrix {
                Matrix::OutputBlock(m) => kernels.output_block(m, strips, x, scales, epilogue, out),
                Matrix::InputBlock(m) => kernels.input_block(m, strips, x, scales, epilogue, out),
            };
            result.expect("shapes fit");
        };
        let work = 4.0 * matrix.kept_blocks() as f64 * tokens as f64;
        self.dot_product_row(kernel, work, || shortest_in_parts(tiles.count(), call));
    }

    fn dot_product_row(&mut self, kernel: String, work: f64, seconds: impl FnOnce() -> f64) {
        // Again for each row: the clock and the neighbors change.
        let peak = peak::dot_products(self.kernels.isa());
        let limit = peak.map(|peak| (work / peak, "dot products"));
        self.report.row(&Measurement { kernel, seconds: seconds(), work, limit });
    }

    /// The dense products of attention: one head, 64 queries.
    pub fn attention(&mut self) {
        for (kernel, keys, head) in [
            ("scores", 384, 64),
            ("scores", 384, 32),
            ("scores", 48, 64),
            ("context", 384, 64),
            ("context", 48, 64),
        ] {
            for lanes in [16, 48, 64] {
                let kernel = format!("attention {kernel}, {keys} keys, head size {head}, {lanes} queries");
                if !kernel.contains(self.filter) {
                    continue;
                }
                let signed = kernel.contains("scores");
                let (rows, cols) = if signed { (keys, head) } else { (head, keys) };
                let values = Aligned::new(rows * cols, |i| (noise(i) % 255) as i8);
                let (sums, scales) = (vec![0; rows], vec![1e-3; rows]);
                let dense = DenseRows { values: &values, stride: cols, cols, sums: &sums, scales: &scales };
                let x = Aligned::new(cols * lanes, |i| noise(i) as u8);
                let (x_signed, x_scales): (&[i8], _) = (bytemuck::cast_slice(&x), [1e-3; 64]);
                let mut out = Aligned::new(rows * lanes, |_| 0f32);
                let wide = score_lanes(lanes);
                let (mut scores, mut most) = (Aligned::new(rows * wide, |_| 0i16), [i16::MIN; 64]);
                let kernels = self.kernels;
                let call = || {
                    let scales = &x_scales[..lanes];
                    let result = match signed {
                        true => kernels.scores(&dense, x_signed, scales, &mut most[..wide], &mut scores),
                        false => kernels.context(&dense, &x, scales, &mut out),
                    };
                    result.expect("shapes fit");
                };
                self.dot_product_row(kernel, (rows * cols * lanes) as f64, || shortest(call));
            }
        }
    }

    /// Everything that is not a product, for one tile of 64 tokens of BERT-Large.
    pub fn vector_functions(&mut self) {
        const FEATURES: usize = 1024;
        const LANES: usize = 64;
        const N: usize = FEATURES * LANES;
        let kernels = self.kernels;
        let x = Aligned::new(N, |i| (noise(i) % 1000) as f32 / 100.0 - 5.0);
        let mut y = Aligned::new(N, |i| x[i]);
        let mut bytes = Aligned::new(N, |_| 0i8);
        let mut weights = Aligned::new(N, |_| 0u8);
        let (most, mut absmax, mut scales, mut sums) =
            ([5f32; LANES], [0f32; LANES], [0f32; LANES], [0i32; LANES]);
        let (gamma, beta) = (vec![1.1f32; FEATURES], vec![0.1f32; FEATURES]);
        let mut limits = Limits::measure(kernels, N);
        self.report.heading(&format!(
            "vector functions; copy of 256 KiB {:.0} GB/s, multiplications and additions {}",
            limits.copy / 1e9,
            limits.floats.map_or("unknown".into(), |f| format!("{:.0} GFLOP/s", f / 1e9)),
        ));
        // Bytes moved and float (or lane-wide integer) operations for each element.
        self.vector("absmax", N, 4.0, 1.0, &mut limits, || kernels.absmax(&x, &mut absmax));
        self.vector("quantize_rows", N, 5.0, 4.0, &mut limits, || {
            kernels.quantize_rows(&x, &most, &mut bytes, &mut scales)
        });
        self.vector("quantize_quads", N, 5.0, 6.0, &mut limits, || {
            kernels.quantize_quads(&x, &most, &mut bytes, &mut scales)
        });
        self.vector("quantize_tokens, head of 64", 64 * LANES, 5.0, 8.0, &mut limits, || {
            let n = 64 * LANES;
            kernels.quantize_tokens(&x[..n], &most, &mut bytes[..n], &mut scales, &mut sums)
        });
        self.vector("quantize_gelu_rows", N, 5.0, 18.0, &mut limits, || {
            kernels.quantize_gelu_rows(&x, &most, &mut bytes, &mut scales)
        });
        let mut of_channels = vec![0f32; FEATURES];
        self.vector("channel_absmax", N, 4.0, 1.0, &mut limits, || {
            kernels.channel_absmax(&x, LANES, &mut of_channels)
        });
        let mut channel_sums = vec![0i32; FEATURES];
        self.vector("quantize_channels", N, 5.0, 5.0, &mut limits, || {
            let (out, sums) = (&mut bytes[..], &mut channel_sums);
            kernels.quantize_channels(&x, LANES, &of_channels, out, LANES, sums)
        });
        let scores = Aligned::new(384 * LANES, |i| (noise(i) % 1000) as i16);
        self.vector("softmax over 384 keys", 384 * LANES, 3.0, 8.0, &mut limits, || {
            let out = &mut weights[..384 * LANES];
            kernels.softmax(&scores, &[999; LANES], out, &mut scales)
        });
        self.vector("layer_norm", N, 16.0, 10.0, &mut limits, || {
            kernels.layer_norm(&mut y, &gamma, &beta, 1e-12, &mut absmax)
        });
        let (int8, row_scales) = (Aligned::new(400 * FEATURES, |i| noise(i) as i8), vec![1e-3f32; 400]);
        let half = Aligned::new(400 * FEATURES, |i| 0x3800 | (noise(i) as u16 & 0x3ff));
        let ids: Vec<[u32; 2]> = (0..LANES).map(|i| [noise(i) % 400, (i % 2) as u32]).collect();
        let (int8, half) = (Table::I8 { values: &int8, scales: &row_scales }, Table::F16(&half));
        for (name, table, width) in [("embed, int8 tables", int8, 1.0), ("embed, f16 tables", half, 2.0)] {
            let tables = Embeddings { word: table, token_type: table, position: table };
            self.vector(name, N, 3.0 * width + 4.0, 8.0, &mut limits, || {
                kernels.embed(&tables, &ids, 0, LANES, &mut y)
            });
        }
        self.vector("linear_f32, 2 outputs", N, 8.0, 4.0, &mut limits, || {
            kernels.linear_f32(&x[..2 * FEATURES], &[0.1, 0.2], &x, &mut y[..2 * LANES])
        });
    }

    fn vector(
        &mut self,
        name: &str,
        elements: usize,
        bytes: f64,
        operations: f64,
        limits: &mut Limits,
        mut call: impl FnMut() -> Result<(), blockspan_kernels::ShapeError>,
    ) {
        if name.contains(self.filter) {
            let work = elements as f64;
            let stream = (work * bytes / limits.copy, "bandwidth");
            let limit = match limits.floats.map(|floats| (work * operations / floats, "operations")) {
                Some(operations) if operations.0 > stream.0 => operations,
                _ => stream,
            };
            let seconds = shortest(|| call().expect("shapes fit"));
            self.report.row(&Measurement { kernel: name.into(), seconds, work, limit: Some(limit) });
        }
    }
}

/// What bounds a vector function.
struct Limits {
    copy: f64,
    floats: Option<f64>,
}

impl Limits {
    fn measure(kernels: &dyn Kernels, elements: usize) -> Self {
        Self { copy: peak::copy(4 * elements), floats: peak::floats(kernels.isa()) }
    }
}

/// A weight matrix of which a fifth of the 1×4 blocks is not zero.
fn sparse(rows: usize, cols: usize, by_output: bool) -> Vec<i8> {
    let mut weights = vec![0; rows * cols];
    for block in (0..rows * cols / 4).filter(|&block| noise(block).is_multiple_of(5)) {
        for i in 0..4 {
            let at = if by_output { (block / cols * 4 + i) * cols + block % cols } else { 4 * block + i };
            weights[at] = (noise(at + 7) % 254) as i8 | 1;
            if weights[at] == i8::MIN {
                weights[at] = 1;
            }
        }
    }
    weights
}
