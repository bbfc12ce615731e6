//! The tiny models against the reference implementation.

use anyhow::Result;
use blockspan_engine::{Model, Runtime, Session};
use blockspan_tests::{Golden, GoldenPair, TINY, fixture, packed_tiny};
use blockspan_trainer::checkpoint;
use blockspan_trainer::config::Config;
use blockspan_trainer::features::WindowOptions;
use blockspan_trainer::model::{BertForQuestionAnswering, Input, Variables};
use blockspan_trainer::pack::{self, Calibration};
use candle_core::Device;

#[test]
fn trainer_logits_equal_the_reference_within_1e_4() -> Result<()> {
    for name in TINY {
        let directory = fixture(&format!("tiny/{name}"));
        let config = Config::read(&directory)?;
        let (parameters, _) = checkpoint::load(&directory, &config, 0)?;
        let variables = Variables::frozen(&config, parameters, &Device::Cpu)?;
        let model = BertForQuestionAnswering::new(&config, variables.builder())?;
        let golden = Golden::read(name)?;
        for (pair, expected) in golden.pairs.iter().zip(&golden.logits) {
            let (ids, types) = (pair.input_ids.clone(), pair.token_type_ids.clone());
            let mask = vec![1.0; ids.len()];
            let output = model.forward(&Input::new(ids, types, mask, 1, &Device::Cpu)?)?;
            for (got, expected) in [output.start_logits, output.end_logits].iter().zip(expected) {
                let got: Vec<f32> = got.flatten_all()?.to_vec1()?;
                assert_eq!(got.len(), expected.len());
                let worst = worst_difference(&got, expected);
                assert!(worst < 1e-4, "{name}, {} tokens: {worst:e}", expected.len());
            }
        }
    }
    Ok(())
}

/// How far int8 may move the logits, derived, as a share of their spread.
///
/// An operand that is quantized to 255 levels gets an error that is uniform over a step of absmax / 127, so its
/// standard deviation relative to the operand is `crest / (127 · √12)`, where the crest factor absmax / rms is
/// about 3 for the few dozen values of a tiny model's rows. 16 operands are quantized on the way through a layer
/// (input and weights of query, key, value, output, intermediate and output products; queries, keys, probabilities
/// and values), independent errors add in squares, and LayerNorm keeps each layer's gain near 1. The worst of
/// some two thousand logits lies within 6 such deviations: pairs whose attention is peaked have more than the mean.
fn bound(layers: usize) -> (f64, f64) {
    let per_operand = 3.0 / (127.0 * 12f64.sqrt());
    let rms = (16.0 * layers as f64).sqrt() * per_operand;
    (rms, 6.0 * rms)
}

#[test]
fn engine_logits_stay_within_the_bound_of_int8() -> Result<()> {
    for name in TINY {
        let bytes = packed_tiny(name)?;
        let model = Model::parse(&bytes)?;
        let mut workspace = vec![0; model.workspace_len(128, 1)];
        let mut session = Session::with(&model, 128, &mut workspace, Runtime::default())?;
        let golden = Golden::read(name)?;
        let (mut squares, mut count, mut worst) = (0f64, 0usize, 0f64);
        for (pair, [starts, ends]) in golden.pairs.iter().zip(&golden.logits) {
            let (got_starts, got_ends) = session.logits(&ids(pair))?;
            for (got, expected) in got_starts.iter().chain(got_ends).zip(starts.iter().chain(ends)) {
                let difference = f64::from(got - expected).abs();
                squares += difference * difference;
                worst = worst.max(difference);
                count += 1;
            }
        }
        let spread = spread(&golden);
        let (rms, worst) = ((squares / count as f64).sqrt() / spread, worst / spread);
        let (rms_bound, worst_bound) = bound(model.config().layers);
        println!("{name}: rms {rms:.4} (bound {rms_bound:.4}), worst {worst:.4} (bound {worst_bound:.4})");
        assert!(rms < rms_bound && worst < worst_bound, "{name}: rms {rms}, worst {worst}");
    }
    Ok(())
}

/// Trained with `--qat`, the network sees what the engine computes. Not to the bit: where polynomials and the order of
/// sums differ in a last bit, now and then a value is rounded to the other side, and each layer makes more of that.
#[test]
fn the_quantized_forward_pass_is_the_engines() -> Result<()> {
    for name in TINY {
        let bytes = packed_tiny(name)?;
        let packed = Model::parse(&bytes)?;
        let mut workspace = vec![0; packed.workspace_len(128, 1)];
        let mut session = Session::with(&packed, 128, &mut workspace, Runtime::default())?;
        let directory = fixture(&format!("tiny/{name}"));
        let config = Config::read(&directory)?;
        let (parameters, _) = checkpoint::load(&directory, &config, 0)?;
        let variables = Variables::frozen(&config, parameters, &Device::Cpu)?;
        let windows = WindowOptions { max_seq_len: 128, doc_stride: 42 };
        let smoothing = pack::smoothing(&directory, &config, windows, &Calibration::default())?;
        let golden = Golden::read(name)?;
        // Squared differences from the engine's logits: of the plain network, and of the quantized one.
        let mut squares = [0f64; 2];
        for pair in &golden.pairs {
            let (starts, ends) = session.logits(&ids(pair))?;
            let engine: Vec<f32> = starts.iter().chain(ends).copied().collect();
            for (quantized, squares) in [false, true].into_iter().zip(&mut squares) {
                let model = BertForQuestionAnswering::new(&config, variables.builder())?;
                let (ids, types) = (pair.input_ids.clone(), pair.token_type_ids.clone());
                let mask = vec![1.0; ids.len()];
                let input = Input::new(ids, types, mask, 1, &Device::Cpu)?;
                let output =
                    model.with_quantization(quantized).with_smoothing(&smoothing)?.forward(&input)?;
                let logits = [output.start_logits, output.end_logits].map(|logits| logits.flatten_all());
                let [starts, ends] = logits.map(|logits| logits.and_then(|l| l.to_vec1::<f32>()));
                let all = starts?.into_iter().chain(ends?);
                *squares += all.zip(&engine).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
            }
        }
        let [plain, quantized] = squares.map(f64::sqrt);
        println!("{name}: distance to the engine's logits {plain:.4}, quantized {quantized:.4}");
        assert!(quantized < 0.4 * plain, "{name}: {plain}, quantized {quantized}");
    }
    Ok(())
}

#[test]
fn engine_tokens_equal_the_reference() -> Result<()> {
    for name in TINY {
        let bytes = packed_tiny(name)?;
        let model = Model::parse(&bytes)?;
        let special = model.config().special;
        for pair in Golden::read(name)?.pairs {
            let of =
                |text| model.tokenizer().tokens(text).map(|t| (t.id, [t.start, t.end])).collect::<Vec<_>>();
            let one = |id| vec![(id, [0, 0])];
            let parts =
                [one(special.cls), of(&pair.question), one(special.sep), of(&pair.context), one(special.sep)];
            let (ids, offsets): (Vec<u32>, Vec<[u32; 2]>) = parts.concat().into_iter().unzip();
            assert_eq!(ids, pair.input_ids, "{name}: {}", pair.question);
            assert_eq!(offsets, pair.byte_offsets, "{name}: {}", pair.question);
        }
    }
    Ok(())
}

fn ids(pair: &GoldenPair) -> Vec<(u32, u32)> {
    pair.input_ids.iter().copied().zip(pair.token_type_ids.iter().copied()).collect()
}

/// Standard deviation of all logits.
fn spread(golden: &Golden) -> f64 {
    let all: Vec<f64> = golden.logits.iter().flatten().flatten().map(|&x| f64::from(x)).collect();
    let mean = all.iter().sum::<f64>() / all.len() as f64;
    (all.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / all.len() as f64).sqrt()
}

fn worst_difference(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}
