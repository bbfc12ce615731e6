//! Outlier features, as trained BERTs have them and the tiny models do not.

use anyhow::{Context, Result};
use blockspan_engine::{Model, Runtime, Session};
use blockspan_tests::{Golden, fixture};
use blockspan_trainer::checkpoint;
use blockspan_trainer::config::{Config, layer_prefix};
use blockspan_trainer::features::WindowOptions;
use blockspan_trainer::model::{BertForQuestionAnswering, Input, Variables};
use blockspan_trainer::pack::{self, Calibration, PackOptions};
use blockspan_trainer::quantization::Smoothing;
use candle_core::Device;

/// The texts that come with the trainer, from `fixtures/`.
const OWN_TEXTS: &str = "../host-trainer/src/pack/calibration.json";

/// A feature of the residual stream, and how large LayerNorm's bias makes it.
const OUTLIERS: [(usize, f32); 2] = [(5, 30.0), (18, -20.0)];

/// `tiny/output-block` with outliers in every LayerNorm but the last, which hardly any weight looks at.
fn with_outliers(directory: &std::path::Path) -> Result<Config> {
    let source = fixture("tiny/output-block");
    let config = Config::read(&source)?;
    let (mut parameters, _) = checkpoint::load(&source, &config, 0)?;
    let mut norms = vec!["bert.embeddings.LayerNorm".to_owned()];
    for index in 0..config.num_hidden_layers {
        let prefix = layer_prefix(index);
        norms.push(format!("{prefix}.attention.output.LayerNorm"));
        norms.push(format!("{prefix}.output.LayerNorm"));
        for part in
            ["attention.self.query", "attention.self.key", "attention.self.value", "intermediate.dense"]
        {
            let weights = parameters.get_mut(&format!("{prefix}.{part}.weight")).context("a matrix")?;
            for row in weights.chunks_mut(config.hidden_size) {
                OUTLIERS.iter().for_each(|&(feature, _)| row[feature] *= 0.03);
            }
        }
    }
    norms.pop();
    for norm in norms {
        let beta = parameters.get_mut(&format!("{norm}.bias")).context("a LayerNorm")?;
        OUTLIERS.iter().for_each(|&(feature, value)| beta[feature] = value);
    }
    checkpoint::save(directory, &source, &config, &parameters)?;
    Ok(config)
}

#[test]
fn outliers_do_not_take_the_steps_from_other_features() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let config = with_outliers(directory.path())?;
    let (parameters, _) = checkpoint::load(directory.path(), &config, 0)?;
    let variables = Variables::frozen(&config, parameters, &Device::Cpu)?;
    let model = BertForQuestionAnswering::new(&config, variables.builder())?;
    let golden = Golden::read("output-block")?;
    let mut distances = Vec::new();
    for calibration in [Calibration::Off, Calibration::OwnTexts, Calibration::File(fixture(OWN_TEXTS))] {
        let options = PackOptions { calibration, ..PackOptions::default() };
        let (bytes, report) = pack::pack_to_bytes(directory.path(), &options)?;
        let packed = Model::parse(&bytes)?;
        let mut workspace = vec![0; packed.workspace_len(128, 1)];
        let mut session = Session::with(&packed, 128, &mut workspace, Runtime::default())?;
        let mut squares = 0.0;
        for pair in &golden.pairs {
            let ids: Vec<_> =
                pair.input_ids.iter().copied().zip(pair.token_type_ids.iter().copied()).collect();
            let (starts, ends) = session.logits(&ids)?;
            let mask = vec![1.0; ids.len()];
            let input =
                Input::new(pair.input_ids.clone(), pair.token_type_ids.clone(), mask, 1, &Device::Cpu)?;
            let output = model.forward(&input)?;
            for (ours, theirs) in [(starts, output.start_logits), (ends, output.end_logits)] {
                let theirs = theirs.flatten_all()?.to_vec1::<f32>()?;
                squares += ours.iter().zip(theirs).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
            }
        }
        println!(
            "{:?}: distance to f32 {:.4}, smoothed {:?}",
            options.calibration,
            squares.sqrt(),
            report.smoothed
        );
        distances.push(squares.sqrt());
    }
    let [off, own, file] = distances[..] else { unreachable!() };
    assert_eq!(own.to_bits(), file.to_bits(), "the program's own texts are those of the file");
    assert!(own < 0.6 * off, "{off} without, {own} with smoothing");
    Ok(())
}

#[test]
fn factors_of_a_directory_are_used_as_they_are() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let config = with_outliers(directory.path())?;
    let windows = WindowOptions { max_seq_len: 128, doc_stride: 42 };
    let smoothing = |calibration| pack::smoothing(directory.path(), &config, windows, &calibration);
    let measured = smoothing(Calibration::OwnTexts)?;
    for norm in ["bert.embeddings.LayerNorm", "bert.encoder.layer.1.attention.output.LayerNorm"] {
        let factors = measured.of(norm).context("no outliers found")?;
        assert!(OUTLIERS.iter().all(|&(feature, _)| factors[feature] >= 8.0), "{norm}: {factors:?}");
    }
    assert_eq!(smoothing(Calibration::Off)?, Smoothing::default());
    measured.save(directory.path())?;
    assert_eq!(Smoothing::read(directory.path(), &config)?, Some(measured.clone()));
    Smoothing::default().save(directory.path())?;
    assert_eq!(smoothing(Calibration::OwnTexts)?, Smoothing::default(), "the directory's go before");
    assert_eq!(smoothing(Calibration::File(fixture(OWN_TEXTS)))?, measured, "a file goes before those");
    let file = directory.path().join("smoothing.safetensors");
    std::fs::write(&file, b"{}")?;
    let error = smoothing(Calibration::OwnTexts).expect_err("a file that is none");
    assert!(format!("{error:#}").contains("smoothing.safetensors"), "{error:#}");
    let wrong = safetensors_of(config.hidden_size - 1)?;
    std::fs::write(&file, wrong)?;
    let error = smoothing(Calibration::OwnTexts).expect_err("too few factors");
    assert!(format!("{error:#}").contains("bert.embeddings.LayerNorm does not hold"), "{error:#}");
    Ok(())
}

/// A file with `count` factors of 1 for one LayerNorm: its header's length, its header, its data.
fn safetensors_of(count: usize) -> Result<Vec<u8>> {
    let header = format!(
        r#"{{"bert.embeddings.LayerNorm":{{"dtype":"F32","shape":[{count}],"data_offsets":[0,{}]}}}}"#,
        4 * count
    );
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend((0..count).flat_map(|_| 1f32.to_le_bytes()));
    Ok(bytes)
}
