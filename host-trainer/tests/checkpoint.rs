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
    for dtype in [Dtype::F32, Dtype::F16, Dtype::BF16, Dtype::F64] {
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

    write(&file, &config, &parameters, Dtype::I32, |name| Some(name.to_owned()))?;
    assert!(refused().contains("stored as I32"), "{}", refused());

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

/// Splits the checkpoint in `base` into as many files as there are shards, with an index, and removes it.
fn split(base: &std::path::Path, config: &Config, parameters: &Parameters, shards: usize) -> Result<()> {
    let mut weight_map = serde_json::Map::new();
    let names: Vec<String> = config.parameters().into_iter().map(|(name, _)| name).collect();
    for shard in 0..shards {
        let file = format!("model-{:05}-of-{shards:05}.safetensors", shard + 1);
        let part = |name: &str| names.iter().position(|n| n == name).is_some_and(|at| at % shards == shard);
        let dtype = [Dtype::F32, Dtype::F16, Dtype::BF16][shard % 3];
        write(&base.join(&file), config, parameters, dtype, |name| {
            part(name).then(|| name.trim_start_matches("bert.").to_owned())
        })?;
        for name in names.iter().filter(|name| part(name)) {
            weight_map.insert(name.trim_start_matches("bert.").to_owned(), file.clone().into());
        }
    }
    std::fs::remove_file(base.join("model.safetensors"))?;
    let index = serde_json::json!({"metadata": {"total_size": 1}, "weight_map": weight_map});
    Ok(std::fs::write(base.join("model.safetensors.index.json"), index.to_string())?)
}

#[test]
fn a_split_checkpoint_is_read_through_its_index() -> Result<()> {
    let root = tempfile::tempdir()?;
    let config = common::write_base(root.path(), 1);
    let base = root.path().join("base");
    // Multiples of 1/8 are the same in f32, f16 and bf16.
    let mut parameters = common::random_parameters(&config, 2);
    parameters.values_mut().flatten().for_each(|v| *v = (*v * 8.0).round() / 8.0);
    split(&base, &config, &parameters, 3)?;
    let (loaded, fresh_head) = checkpoint::load(&base, &config, 0)?;
    assert_eq!((loaded == parameters, fresh_head), (true, false));

    let index = base.join("model.safetensors.index.json");
    let refused = || format!("{:#}", checkpoint::load(&base, &config, 0).expect_err("refused"));
    let whole = std::fs::read_to_string(&index)?;
    for (text, part) in [
        (whole[..whole.len() / 2].to_owned(), "model.safetensors.index.json: not an index"),
        (whole.replace("model-00002", "../model-00002"), "names \"../model-00002-of-00003.safetensors\""),
        (whole.replace("model-00002", "model-00009"), "model-00009-of-00003.safetensors: cannot read"),
        (whole.replace("qa_outputs.bias", "qa_outputs.more"), "qa_outputs.more is missing, but"),
    ] {
        std::fs::write(&index, text)?;
        assert!(refused().contains(part), "{}", refused());
    }
    std::fs::write(&index, &whole)?;
    let shard = base.join("model-00003-of-00003.safetensors");
    let bytes = std::fs::read(&shard)?;
    std::fs::write(&shard, &bytes[..bytes.len() - 1])?;
    assert!(refused().contains("model-00003-of-00003.safetensors: not a safetensors file"), "{}", refused());
    Ok(())
}

/// `fixtures/torch/pytorch_model.bin` beside the configuration of `fixtures/tiny/output-block`, whose weights it
/// holds.
fn torch(root: &std::path::Path) -> Result<(Config, Parameters)> {
    let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures");
    let tiny = fixtures.join("tiny/output-block");
    std::fs::copy(tiny.join("config.json"), root.join("config.json"))?;
    std::fs::copy(fixtures.join("torch/pytorch_model.bin"), root.join("pytorch_model.bin"))?;
    let config = Config::read(&tiny)?;
    let (parameters, _) = checkpoint::load(&tiny, &config, 0)?;
    Ok((config, parameters))
}

#[test]
fn a_pickle_of_pytorch_is_read() -> Result<()> {
    let root = tempfile::tempdir()?;
    let (config, mut parameters) = torch(root.path())?;
    let mut round = |name: &str, f: fn(f32) -> f32| {
        parameters.get_mut(name).expect("a parameter").iter_mut().for_each(|v| *v = f(*v));
    };
    round("bert.embeddings.position_embeddings.weight", |v| f16::from_f32(v).to_f32());
    round("bert.embeddings.token_type_embeddings.weight", |v| bf16::from_f32(v).to_f32());
    let (loaded, fresh_head) = checkpoint::load(root.path(), &config, 0)?;
    assert!(!fresh_head);
    for (name, values) in parameters {
        assert_eq!(loaded[&name], values, "{name}");
    }
    Ok(())
}

#[test]
fn a_broken_pickle_is_refused_by_name() -> Result<()> {
    let root = tempfile::tempdir()?;
    let (config, _) = torch(root.path())?;
    let file = root.path().join("pytorch_model.bin");
    let whole = std::fs::read(&file)?;
    let refused = || format!("{:#}", checkpoint::load(root.path(), &config, 0).expect_err("refused"));
    for bytes in [&whole[..whole.len() - 1], &whole[..whole.len() / 2], &whole[..100], &[], b"\x80\x02}q\0."]
    {
        std::fs::write(&file, bytes)?;
        assert!(refused().contains("pytorch_model.bin: not a zip archive of torch.save"), "{}", refused());
    }
    // Damage inside the data of a tensor is found by the archive's checksum, as long as all of it is read.
    std::fs::write(&file, &whole)?;
    let wide = Config { intermediate_size: 128, ..config.clone() };
    let message = format!("{:#}", checkpoint::load(root.path(), &wide, 0).expect_err("refused"));
    let part = "pytorch_model.bin: bert.encoder.layer.0.intermediate.dense.weight: it has the shape [64, 32]";
    assert!(message.contains(part), "{message}");
    // Whatever bit of the pickle flips, nothing panics.
    let start = whole.windows(8).position(|w| w == b"data.pkl").expect("the pickle");
    for at in (start + 8..start + 4000).step_by(3) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        std::fs::write(&file, bytes)?;
        let _ = checkpoint::load(root.path(), &config, 0);
    }
    Ok(())
}
