//! One number for the bits of every kernel's results, the same on every machine.
//!
//! The other comparisons hold each instruction set against the scalar kernels of the same machine; this one holds
//! the scalar kernels of one machine against those of another.

use alloc::vec;
use alloc::vec::Vec;

use blockspan_kernels::matrix::{Matrix, PackedMatrix, pack_input_block, pack_output_block};
use blockspan_kernels::{DenseRows, Embeddings, Epilogue, Kernels, Table};

use super::floats::rows_of;
use super::products::{aligned, arranged, attention_weights};
use super::random::{Floats, Random};

/// What [`fingerprint`] gives for ordinary activations: of tiles of 16, 32 and 64 lanes, and of 48.
pub const ORDINARY: [u64; 2] = [0x195d_ce84_c262_2118, 0x62d6_59df_1bea_2194];

/// What [`fingerprint`] gives for denormal ones, on machines that do not flush them to zero.
pub const DENORMAL: [u64; 2] = [0xc9f6_00ee_c64f_5d41, 0xbb6d_d92e_9c28_5819];

/// FNV-1a.
struct Hash(u64);

impl Hash {
    fn bytes(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn add<T: bytemuck::NoUninit>(&mut self, values: &[T]) {
        self.bytes(bytemuck::cast_slice(values));
    }
}

const ROWS: usize = 24;
const COLS: usize = 72;

/// Fails unless the kernels give the fingerprint of every other machine.
#[track_caller]
pub fn check(kernels: &dyn Kernels) {
    let isa = kernels.isa();
    assert_eq!(fingerprint(kernels, Floats::Bell(1.0)), ORDINARY, "{isa}: other bits than elsewhere");
    assert_eq!(
        fingerprint(kernels, Floats::Denormal),
        DENORMAL,
        "{isa}: other bits than elsewhere, denormals"
    );
}

/// Hashes of the results of all kernels on activations of this kind.
pub fn fingerprint(kernels: &dyn Kernels, activations: Floats) -> [u64; 2] {
    let tiles: [&[usize]; 2] = [&[16, 32, 64], &[48]];
    tiles.map(|tiles| {
        let (mut random, mut hash) = (Random::new(6), Hash(0xcbf2_9ce4_8422_2325));
        for &lanes in tiles {
            products(kernels, &mut random, lanes, activations, &mut hash);
            vectors(kernels, &mut random, lanes, activations, &mut hash);
        }
        hash.0
    })
}

fn products(kernels: &dyn Kernels, random: &mut Random, lanes: usize, activations: Floats, hash: &mut Hash) {
    let int8 = |random: &mut Random, n| random.many(n, |r| (r.below(255) as i32 - 127) as i8);
    let x = int8(random, COLS * lanes);
    let x_scales = random.floats(lanes, activations);
    let scales: Vec<f32> = random.floats(ROWS, Floats::Bell(0.01)).into_iter().map(f32::abs).collect();
    let bias = random.floats(ROWS, activations);
    for by_output in [true, false] {
        let mut weights = int8(random, ROWS * COLS);
        for block in 0..ROWS * COLS / 4 {
            if random.below(5) > 0 {
                for i in 0..4 {
                    let at =
                        if by_output { (block / COLS * 4 + i) * COLS + block % COLS } else { 4 * block + i };
                    weights[at] = 0;
                }
            }
        }
        let packed = aligned(&if by_output {
            pack_output_block(&weights, COLS, &scales, &bias).unwrap()
        } else {
            pack_input_block(&weights, COLS, 32, &scales, &bias).unwrap()
        });
        let matrix = PackedMatrix::validate(bytemuck::cast_slice(&packed)).unwrap().view().unwrap();
        let mut out = random.floats(ROWS * lanes, activations);
        let smoothing = random.floats(ROWS, Floats::Bell(4.0));
        let zero_points = random.many(lanes, |r| r.below(128) as i32);
        for form in 0..4 {
            let mut max = vec![0.0; lanes];
            let epilogue = match form {
                0 => Epilogue::Add { smoothing: &smoothing },
                1 => Epilogue::Max { max: &mut max },
                2 => Epilogue::AddAffine { smoothing: &smoothing, zero_points: &zero_points },
                _ => Epilogue::Store,
            };
            match &matrix {
                Matrix::OutputBlock(m) => {
                    let x = arranged(kernels, &x, lanes);
                    kernels.output_block(m, 0..ROWS / 4, &x, &x_scales, epilogue, &mut out)
                }
                Matrix::InputBlock(m) => {
                    kernels.input_block(m, 0..ROWS / 4, &x, &x_scales, epilogue, &mut out)
                }
            }
            .unwrap();
            hash.add(&out);
            hash.add(&max);
        }
    }
    let values = int8(random, ROWS * COLS);
    let sums: Vec<i32> = values.chunks(COLS).map(|row| row.iter().map(|&w| i32::from(w)).sum()).collect();
    let rows = DenseRows { values: &values, stride: COLS, cols: COLS, sums: &sums, scales: &scales };
    let (weights, scales) = attention_weights(kernels, &rows, &x, &x_scales);
    hash.add(&weights);
    hash.add(&scales);
    let mut out = vec![0.0; ROWS * lanes];
    kernels.context(&rows, bytemuck::cast_slice(&x), &x_scales, &mut out).unwrap();
    hash.add(&out);
}

fn vectors(kernels: &dyn Kernels, random: &mut Random, lanes: usize, activations: Floats, hash: &mut Hash) {
    let x = random.floats(COLS * lanes, activations);
    let (mut absmax, mut scales) = (vec![0.0; lanes], vec![0.0; lanes]);
    let (mut int8, mut sums) = (vec![0i8; COLS * lanes], vec![0i32; lanes]);
    kernels.absmax(&x, &mut absmax).unwrap();
    hash.add(&absmax);
    rows_of(kernels, lanes, &mut int8, |out| kernels.quantize_rows(&x, &absmax, out, &mut scales)).unwrap();
    hash.add(&int8);
    rows_of(kernels, lanes, &mut int8, |out| kernels.quantize_gelu_rows(&x, &absmax, out, &mut scales))
        .unwrap();
    hash.add(&int8);
    hash.add(&scales);
    kernels.quantize_quads(&x, &absmax, &mut int8, &mut scales).unwrap();
    hash.add(&int8);
    kernels.quantize_tokens(&x, &absmax, &mut int8, &mut scales, &mut sums).unwrap();
    hash.add(&int8);
    hash.add(&scales);
    hash.add(&sums);
    kernels.quantize_gelu_quads(&x, &absmax, &mut int8, &mut scales).unwrap();
    hash.add(&int8);
    let (mut of_channels, mut sums) = (vec![0.0; COLS], vec![0; COLS]);
    kernels.channel_absmax(&x, lanes - 3, &mut of_channels).unwrap();
    hash.add(&of_channels);
    kernels.quantize_channels(&x, lanes - 3, &of_channels, &mut int8, lanes, &mut sums).unwrap();
    hash.add(&int8);
    hash.add(&sums);
    let (gamma, beta) = (random.floats(COLS, activations), random.floats(COLS, activations));
    let mut normal = x.clone();
    kernels.layer_norm(&mut normal, &gamma, &beta, 1e-12, &mut absmax).unwrap();
    hash.add(&normal);
    hash.add(&absmax);
    let half: Vec<u16> = random.many(4 * COLS, |r| (r.bits() as u16) & 0xbbff);
    let table = random.many(4 * COLS, |r| r.bits() as i8);
    let table = Table::I8 { values: &table, scales: &random.floats(4, activations) };
    let tables = Embeddings { word: table, token_type: Table::F16(&half), position: table };
    let ids = random.many(4, |r| [r.below(4) as u32, r.below(4) as u32]);
    kernels.embed(&tables, &ids, 0, lanes, &mut normal).unwrap();
    hash.add(&normal);
    let mut logits = vec![0.0; 2 * lanes];
    kernels.linear_f32(&random.floats(2 * COLS, activations), &[0.5, -0.5], &x, &mut logits).unwrap();
    hash.add(&logits);
}
