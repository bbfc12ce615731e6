//! What `inspect` says of the committed tiny models.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use blockspan_trainer::inspect::Inspection;
use blockspan_trainer::prune::pattern::{Pattern, Verdict};

fn tiny(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/tiny").join(name)
}

#[test]
fn both_patterns_are_found() -> Result<()> {
    for (name, pattern, other) in [
        ("output-block", Pattern::OutputBlock, Pattern::InputBlock),
        ("input-block", Pattern::InputBlock, Pattern::OutputBlock),
    ] {
        let inspection = Inspection::of_directory(&tiny(name))?;
        assert_eq!(inspection.pattern()?, Some(pattern));
        assert_eq!(inspection.matrices.len(), 12);
        for (matrix, census) in &inspection.matrices {
            assert_eq!(census.weights, matrix.outputs * matrix.inputs);
            assert_eq!(census.verdict(), Verdict::Follows(pattern), "{}", matrix.name);
            assert!((0.19..0.21).contains(&census.block_density(pattern)), "{}: {census:?}", matrix.name);
            assert!(census.block_density(other) > 0.4, "{}: {census:?}", matrix.name);
        }
        assert_eq!(
            inspection.total().weights,
            inspection.matrices.iter().map(|(_, c)| c.weights).sum::<usize>()
        );
    }
    Ok(())
}

#[test]
fn the_table_names_every_matrix() -> Result<()> {
    let output = Command::new(env!("CARGO_BIN_EXE_blockspan-trainer"))
        .arg("inspect")
        .arg(tiny("input-block"))
        .output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let table = String::from_utf8(output.stdout)?;
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines.len(), 1 + 12 + 1, "{table}");
    for (line, (matrix, census)) in
        lines[1..13].iter().zip(Inspection::of_directory(&tiny("input-block"))?.matrices)
    {
        let percent = |share: f64| format!("{:.1}", 100.0 * share);
        let expected = [
            matrix.name.clone(),
            matrix.outputs.to_string(),
            "x".to_owned(),
            matrix.inputs.to_string(),
            percent(1.0 - census.sparsity()),
            "%".to_owned(),
            percent(census.block_density(Pattern::OutputBlock)),
            "%".to_owned(),
            percent(census.block_density(Pattern::InputBlock)),
            "%".to_owned(),
            "input-block".to_owned(),
        ];
        assert_eq!(*line, expected);
    }
    assert_eq!(lines[13][..3], ["all", "12", "matrices"]);
    assert_eq!(lines[13].last(), Some(&"input-block"));
    Ok(())
}

#[test]
fn a_dense_model_is_one_line_unless_asked_for_more() -> Result<()> {
    let root = tempfile::tempdir()?;
    common::write_base(root.path(), 1);
    let lines = |line: &str| -> Result<Vec<String>> {
        let output = Command::new(env!("CARGO_BIN_EXE_blockspan-trainer"))
            .current_dir(root.path())
            .args(line.split_whitespace())
            .output()?;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?.lines().map(str::to_owned).collect())
    };
    let short = lines("inspect base")?;
    assert_eq!(short.len(), 2, "{short:?}");
    assert!(short[1].starts_with("all 12 matrices") && short[1].ends_with("dense"), "{short:?}");
    assert_eq!(lines("inspect base -v")?.len(), 14);
    let packed = lines("pack --no-smoothing --model base --out base.bspan")?;
    assert_eq!(packed.len(), 1, "{packed:?}");
    assert!(packed[0].ends_with("12 matrices, dense"), "{packed:?}");
    assert_eq!(lines("pack --no-smoothing --model base --out base.bspan --verbose")?.len(), 13);
    Ok(())
}

#[test]
fn what_pack_will_refuse_is_told_by_inspect_and_by_finetune() -> Result<()> {
    let root = tempfile::tempdir()?;
    common::write_base(root.path(), 1);
    let run = |line: &str| -> Result<String> {
        let output = Command::new(env!("CARGO_BIN_EXE_blockspan-trainer"))
            .current_dir(root.path())
            .args(line.split_whitespace())
            .output()?;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)? + &String::from_utf8(output.stderr)?)
    };
    let finetune = "finetune --base base --train data.json --max-seq-len 24 --doc-stride 4 --max-steps 1";
    assert!(!run("inspect base")?.contains("pack will refuse"));
    assert!(!run(&format!("{finetune} --out a"))?.contains("`pack` will refuse"));
    // The engine looks for added tokens in the text as it stands.
    let settings = r#"{"added_tokens_decoder": {"31": {"content": "two", "lstrip": true, "rstrip": false,
        "single_word": false, "normalized": false, "special": false}}}"#;
    std::fs::write(root.path().join("base/tokenizer_config.json"), settings)?;
    assert!(run("inspect base")?.contains("\npack will refuse it: "));
    assert!(run(&format!("{finetune} --out b"))?.contains("note: `pack` will refuse this tokenizer: "));
    Ok(())
}
