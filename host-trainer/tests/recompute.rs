//! `--recompute` changes what is kept for the backward pass, and no bit of the result.

#[path = "common/command.rs"]
mod command;
mod common;

use blockspan_trainer::model::{
    BertForQuestionAnswering, DropoutKey, DropoutRates, Input, Output, Variables,
};
use candle_core::{Device, Tensor};
use command::succeeds;

const FINETUNE: &str = "finetune --base base --train data.json --epochs 3 --batch-size 2 --gradient-accumulation 2 \
                        --max-seq-len 24 --doc-stride 8 --lr 1e-3 --seed 7";

#[test]
fn every_kind_of_run_has_the_same_bits() {
    let root = tempfile::tempdir().expect("a directory");
    let root = root.path();
    common::write_base(root, 1);
    common::write_base(&root.join("other"), 2);
    for (number, more) in [
        "",
        "--teacher other/base --distill-weight 0.5 --hidden-weight 10",
        "--freeze-embeddings --hidden-dropout 0 --attention-dropout 0.2",
        "--freeze-embeddings --teacher other/base --hidden-weight 1 --sparsity 0.5 --score taylor",
        "--qat --sparsity 0.5",
        "--workers 2",
    ]
    .iter()
    .enumerate()
    {
        let of = |out: &str, flag: &str| {
            let out = format!("{out}-{number}");
            succeeds(root, &format!("{FINETUNE} {more} --out {out} {flag}"));
            let file = |name: &str| std::fs::read(root.join(&out).join(name)).expect(name);
            let metrics = String::from_utf8(file("metrics.jsonl")).expect("UTF-8");
            let value = |line: &str, key: &str| {
                serde_json::from_str::<serde_json::Value>(line).expect("JSON")[key].clone()
            };
            let course = metrics.lines().map(|line| [value(line, "loss"), value(line, "gradient_norm")]);
            (course.collect::<Vec<_>>(), file("model.safetensors"))
        };
        let (kept, recomputed) = (of("kept", ""), of("recomputed", "--recompute"));
        assert!(!kept.0.is_empty());
        assert_eq!(kept.0, recomputed.0, "{more}");
        assert!(kept.1 == recomputed.1, "{more}: the weights differ");
    }
}

#[test]
fn gradients_come_layer_by_layer() -> anyhow::Result<()> {
    let root = tempfile::tempdir()?;
    let config = common::write_base(root.path(), 1);
    let parameters = common::random_parameters(&config, 1);
    let variables = Variables::trained(&config, &parameters, &Device::Cpu, |_| true)?;
    let model = BertForQuestionAnswering::new(&config, variables.builder())?;
    let input = Input::new(vec![2, 5, 10, 3, 7, 8], vec![0; 6], vec![1.0; 6], 2, &Device::Cpu)?;
    let (rates, key) = (DropoutRates { hidden: 0.3, attention: 0.3 }, DropoutKey { key: 5, first: 3 });
    let loss = |output: &Output| Ok((output.start_logits.sqr()?.sum_all()? + output.end_logits.sum_all()?)?);
    let whole = loss(&model.forward_training(&input, rates, key)?)?;
    let expected = whole.backward()?;
    let mut parts = Vec::new();
    let value = model.backward_recomputing(&input, rates, key, loss, |store| {
        let mut names = Vec::new();
        for (name, var) in variables.vars() {
            if let Some(gradient) = store.get(var) {
                let values = |x: &Tensor| x.flatten_all()?.to_vec1::<f32>();
                let expected = expected.get(var).expect("a gradient");
                assert_eq!(values(gradient)?, values(expected)?, "{name}");
                names.push(name);
            }
        }
        parts.push(names);
        Ok(())
    })?;
    assert_eq!(value, whole.to_scalar::<f32>()?);
    let begin = ["qa_outputs.", "bert.encoder.layer.1.", "bert.encoder.layer.0.", "bert.embeddings."];
    assert_eq!(parts.len(), begin.len());
    for (part, begin) in parts.iter().zip(begin) {
        assert!(!part.is_empty() && part.iter().all(|name| name.starts_with(begin)), "{begin}: {part:?}");
    }
    assert_eq!(parts.concat().len(), variables.vars().count());
    Ok(())
}
