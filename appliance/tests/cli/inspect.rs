//! `blockspan inspect`: the report agrees with the file.

use serde_json::Value;

use crate::common::{assert_refused, blockspan, default_model, stdout};

fn report() -> Value {
    serde_json::from_str(&stdout(&blockspan(&["inspect", "--json"]).output().unwrap())).unwrap()
}

#[test]
fn the_report_agrees_with_the_bytes() {
    let bytes = std::fs::read(default_model()).unwrap();
    let report = report();
    let word = |at: usize| u64::from(u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()));
    assert_eq!(report["file_bytes"], bytes.len());
    for (field, at) in [("hidden", 32), ("layers", 36), ("heads", 40), ("intermediate", 44), ("vocab", 48)] {
        assert_eq!(report["header"][field], word(at), "{field}");
    }
    let sections = report["sections"].as_array().unwrap();
    assert_eq!(sections.len() as u64, word(24));
    let mut end = 0;
    for section in sections {
        let number = |key: &str| section[key].as_u64().unwrap() as usize;
        assert!(number("offset") >= end && number("offset").is_multiple_of(64));
        end = number("offset") + number("bytes");
        let sum = blockspan_engine::xxh64(&bytes[number("offset")..end]);
        assert_eq!(section["xxh64"], format!("{sum:016x}"));
    }
    assert!(end <= bytes.len());
}

#[test]
fn totals_are_the_sums_over_the_matrices() {
    let report = report();
    let matrices: Vec<&Value> = report["sections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| &s["matrix"])
        .filter(|m| !m.is_null())
        .collect();
    assert_eq!(matrices.len() as u64, 6 * report["header"]["layers"].as_u64().unwrap());
    let sum = |of: &dyn Fn(&Value) -> u64| -> u64 { matrices.iter().map(|matrix| of(matrix)).sum() };
    let number = |value: &Value| value.as_u64().unwrap();
    let totals = &report["totals"];
    assert_eq!(sum(&|m| number(&m["rows"]) * number(&m["cols"])), number(&totals["encoder_weights"]));
    assert_eq!(sum(&|m| 4 * number(&m["kept_blocks"])), number(&totals["kept_weights"]));
    let density = totals["density"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&density));
}

#[test]
fn text_names_every_section_and_all_metadata() {
    let report = report();
    let model = default_model();
    let text = stdout(&blockspan(&["inspect", model.to_str().unwrap()]).output().unwrap());
    assert!(text.starts_with(model.to_str().unwrap()), "{text}");
    for section in report["sections"].as_array().unwrap() {
        let field = |key: &str| section[key].as_str().unwrap();
        let listed = text.lines().any(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words.first() == Some(&field("name")) && words.contains(&field("xxh64"))
        });
        assert!(listed, "no line for {section} in {text}");
    }
    for pair in report["metadata"].as_array().unwrap() {
        let (key, value) = (pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
        let listed = text.lines().any(|line| line.trim().strip_prefix(key).map(str::trim) == Some(value));
        assert!(listed, "no {key}: {value} in {text}");
    }
    assert!(text.contains("workspace at"));
}

#[test]
fn the_workspace_for_other_windows_and_threads() {
    let of = |more: &[&str]| -> Value {
        let output = blockspan(&[["inspect", "--json"].as_slice(), more].concat()).output().unwrap();
        serde_json::from_str(&stdout(&output)).unwrap()
    };
    let bench = |tokens: &str, threads: &str| -> Value {
        let args = ["bench", "--json", "--repeat", "1", "--tokens", tokens, "--threads", threads];
        serde_json::from_str(&stdout(&blockspan(&args).output().unwrap())).unwrap()
    };
    let default = of(&[]);
    let (header, totals) = (&default["header"], &default["totals"]);
    assert_eq!(
        default["workspace"],
        serde_json::json!({ "max_seq_len": header["max_seq_len"], "threads": 1, "bytes": totals["workspace_bytes"] })
    );
    // What is told is what is taken.
    for (tokens, threads) in [("128", "1"), ("48", "3"), ("384", "2")] {
        let workspace = &of(&["--max-seq-len", tokens, "--threads", threads])["workspace"];
        assert_eq!(workspace["bytes"], bench(tokens, threads)["start"]["workspace_bytes"]);
        assert_eq!(
            (workspace["max_seq_len"].to_string(), workspace["threads"].to_string()),
            (tokens.into(), threads.into())
        );
    }
    let text = stdout(&blockspan(&["inspect", "--max-seq-len", "48", "--threads", "3"]).output().unwrap());
    let bytes = &of(&["--max-seq-len", "48", "--threads", "3"])["workspace"]["bytes"];
    assert!(text.contains(&format!("workspace at 48 tokens for 3 threads: {bytes} bytes")), "{text}");
    let refused = blockspan(&["inspect", "--max-seq-len", "513"]).output().unwrap();
    assert_refused(&refused, &["--max-seq-len 513", "8 to 512"]);
}
