//! Reading and writing Hugging Face directories.

mod common;

use std::collections::BTreeMap;

use anyhow::Result;
use blockspan_trainer::checkpoint::{self, Parameters};
use blockspan_trainer::config::Config;
use half::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::TensorView;

/// Writes `model.safetensors` with the names and the number format that the closures make.
fn write(
    path: &std::path::Path,
    config: &Config,
    parameters: &Parameters,
    dtype: Dtype,
    rename: impl Fn(&str) -> Option<String>,
) -> Result<()> {
    let mut data: BTreeMap<String, (Vec<usize>, Vec<u8>)> = BTreeMap::new();
    for (name, shape) in config.parameters() {
        let Some(renamed) = rename(&name) else { continue };
        let bytes = parameters[&name].iter().flat_map(|&v| match dtype {
            Dtype::F16 => f16::from_f32(v).to_le_bytes().to_vec(),
            Dtype::BF16 => bf16::from_f32(v).to_le_bytes().to_vec(),
            Dtype::F64 => f64::from(v).to_le_bytes().to_vec(),
            _ => v.to_le_bytes().to_vec(),
        });
        data.insert(renamed, (shape, bytes.collect()));
    }
    let mut views: Vec<(String, TensorView<'_>)> = data
        .iter()
        .map(|(name, (shape, bytes))| Ok((name.clone(), TensorView::new(dtype, shape.clone(), bytes)?)))
        .collect::<Result<_>>()?;
    let ids = [0u8; 16];
    views.push(("bert.embeddings.position_ids".into(), TensorView::new(Dtype::I64, vec![1, 2], &ids)?));
    views.push(("pooler.dense.bias".into(), TensorView::new(Dtype::F32, vec![4], &ids)?));
    views.push(("cls.predictions.bias".into(), TensorView::new(Dtype::F32, vec![4], &ids)?));
    std::fs::write(path, safetensors::serialize(views, None)?)?;
    Ok(())
}

#[test]
fn a_round_trip_keeps_every_bit_and_the_configuration() -> Result<()> {
    let root = tempfile::tempdir()?;
    let (base, copy) = (root.path().join("base"), root.path().join("copy"));
    let config = common::write_base(root.path(), 1);
    let (parameters, fresh_head) = checkpoint::load(&base, &config, 0)?;
    assert_eq!((parameters == common::random_parameters(&config, 1), fresh_head), (true, false));
    checkpoint::save(&copy, &base, &config, &parameters)?;
    assert_eq!(Config::read(&copy)?, config);
    assert_eq!(checkpoint::load(&copy, &config, 0)?.0, parameters);
    assert_eq!(std::fs::read(copy.join("vocab.txt"))?, std::fs::read(base.join("vocab.txt"))?);
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(copy.join("config.json"))?)?;
    assert_eq!(json["architectures"][0], "BertForQuestionAnswering");
    assert_eq!(json["torch_dtype"], "float32");
    assert_eq!(json["kept"], "as it was");
    let left: Vec<_> =
        std::fs::read_dir(&copy)?.map(|e| e.map(|e| e.file_name())).collect::<Result<_, _>>()?;
    assert_eq!(left.len(), 3, "temporary files are left: {left:?}");
    Ok(())
}

#[test]
fn other_names_and_number_formats_are_read() -> Result<()> {
    let root = tempfile::tempdir()?;
    let config = common::write_base(root.path(), 1);
    let base = root.path().join("base");
    let parameters = common::random_parameters(&config, 2);
    let round = |dtype, v: f32| match dtype {
        Dtype::F16 => f16::from_f32(v).to_f32(),
        Dtype::BF16 => bf16::from_f32(v).to_f32(),
        _ => v,
    };
    let old_names = |name: &str| {
        let name = name.strip_prefix("bert.").unwrap_or(name);
        Some(name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"))
    };
    for dtype in [Dtype::F32, Dtype::F16, Dtype::BF16] {
        write(&base.join("model.safetensors"), &config, &parameters, dtype, old_names)?;
        let (loaded, fresh_head) = checkpoint::load(&base, &config, 0)?;
        assert!(!fresh_head);
        for (name, values) in &parameters {
            let expected: Vec<f32> = values.iter().map(|&v| round(dtype, v)).collect();
            assert_eq!(loaded[name], expected, "{name} as {dtype:?}");
        }
    }
    Ok(())
}

#[test]
fn a_missing_head_is_drawn_by_seed() -> Result<()> {
    let root = tempfile::tempdir()?;
    let config = common::write_base(root.path(), 1);
    let base = root.path().join("base");
    let parameters = common::random_parameters(&config, 2);
    write(&base.join("model.safetensors"), &config, &parameters, Dtype::F32, |name| {
        (!name.starts_with("qa_outputs")).then(|| name.to_owned())
    })?;
    let head = |seed| -> Result<Vec<f32>> {
        let (mut loaded, fresh_head) = checkpoint::load(&base, &config, seed)?;
        assert!(fresh_head);
        assert_eq!(loaded["qa_outputs.bias"], [0.0, 0.0]);
        Ok(loaded.remove("qa_outputs.weight").unwrap_or_default())
    };
    assert_eq!(head(1)?, head(1)?);
    assert_ne!(head(1)?, head(2)?);
    let deviation = (head(1)?.iter().map(|w| w * w).sum::<f32>() / 32.0).sqrt();
    assert!((0.01..0.03).contains(&deviation), "{deviation}");
    Ok(())
}

#[test]
fn what_cannot_be_read_is_named() -> Result<()> {
    let root = tempfile::tempdir()?;
    let config = common::write_base(root.path(), 1);
    let base = root.path().join("base");
    let file = base.join("model.safetensors");
    let whole = std::fs::read(&file)?;
    let parameters = common::random_parameters(&config, 2);
    let refused = || format!("{:#}", checkpoint::load(&base, &config, 0).expect_err("refused"));

    std::fs::write(&file, &whole[..whole.len() / 2])?;
    assert!(refused().contains("model.safetensors: not a safetensors file, or cut short"), "{}", refused());

    let missing = "bert.encoder.layer.1.output.dense.bias";
    write(&file, &config, &parameters, Dtype::F32, |name| (name != missing).then(|| name.to_owned()))?;
    assert!(refused().contains(&format!("{missing} is missing")), "{}", refused());

    write(&file, &config, &parameters, Dtype::F64, |name| Some(name.to_owned()))?;
    assert!(refused().contains("stored as F64"), "{}", refused());

    let wide = Config { intermediate_size: 64, ..config.clone() };
    std::fs::write(&file, &whole)?;
    let message = format!("{:#}", checkpoint::load(&base, &wide, 0).expect_err("refused"));
    assert!(message.contains("intermediate.dense.weight: it has the shape [32, 16]"), "{message}");

    let mut broken = parameters.clone();
    broken.entry("qa_outputs.bias".into()).and_modify(|v| v[1] = f32::NAN);
    write(&file, &config, &broken, Dtype::F32, |name| Some(name.to_owned()))?;
    assert!(refused().contains("qa_outputs.bias: it holds a value that is not finite"), "{}", refused());

    std::fs::remove_file(&file)?;
    assert!(refused().contains("model.safetensors: cannot read"), "{}", refused());
    Ok(())
}
