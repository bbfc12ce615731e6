//! `blockspan bench`: what is reported agrees with the model. No figure of time is judged.

use serde_json::Value;

use crate::common::{assert_refused, blockspan, stdout};

fn json(args: &[&str]) -> Value {
    serde_json::from_str(&stdout(&blockspan(args).output().unwrap())).unwrap()
}

fn bench() -> Value {
    json(&["bench", "--json", "--tokens", "16,384", "--threads", "2,1", "--repeat", "3"])
}

#[test]
fn every_combination_is_timed() {
    let report = bench();
    let runs = report["runs"].as_array().unwrap();
    let pairs: Vec<_> = runs.iter().map(|run| (run["threads"].as_u64(), run["tokens"].as_u64())).collect();
    let expected =
        [(2, 16), (2, 384), (1, 16), (1, 384)].map(|(threads, tokens)| (Some(threads), Some(tokens)));
    assert_eq!(pairs, expected);
    for run in runs {
        let mut times: Vec<f64> =
            run["times_ms"].as_array().unwrap().iter().map(|time| time.as_f64().unwrap()).collect();
        times.sort_by(f64::total_cmp);
        assert_eq!(times.len(), 3);
        assert!(times[0] > 0.0);
        assert_eq!((run["min_ms"].as_f64(), run["median_ms"].as_f64()), (Some(times[0]), Some(times[1])));
        // Known for x86-64's instruction sets.
        let floor = (run["floor_ms"].as_f64(), run["times_floor"].as_f64());
        if cfg!(target_arch = "x86_64") {
            let (floor_ms, times_floor) = (floor.0.unwrap(), floor.1.unwrap());
            assert!(floor_ms > 0.0 && (times_floor * floor_ms - times[0]).abs() < 1e-9 * times[0], "{run}");
        } else {
            assert_eq!(floor, (None, None));
        }
    }
}

#[test]
fn work_and_memory_are_the_models() {
    let (report, inspected) = (bench(), json(&["inspect", "--json"]));
    let number = |value: &Value| value.as_f64().unwrap();
    let (header, totals) = (&inspected["header"], &inspected["totals"]);
    for (work, tokens) in report["work"].as_array().unwrap().iter().zip([16.0, 384.0]) {
        assert_eq!(number(&work["tokens"]), tokens);
        let sparse = number(&totals["kept_weights"]) * tokens / 1e9;
        let attention = 2.0 * number(&header["layers"]) * number(&header["hidden"]) * tokens * tokens / 1e9;
        assert!((number(&work["sparse_gmac"]) - sparse).abs() < 1e-9 * sparse);
        assert!((number(&work["attention_gmac"]) - attention).abs() < 1e-9 * attention);
    }
    // At the default window, as `inspect` has it; the start is that of the longest input on the most threads.
    let start = &report["start"];
    assert_eq!((start["tokens"].as_u64(), start["threads"].as_u64()), (Some(384), Some(2)));
    let workspace = number(&totals["workspace_bytes"]) + number(&totals["workspace_bytes_per_thread"]);
    assert_eq!(number(&start["workspace_bytes"]), workspace);
    if cfg!(target_os = "linux") {
        assert!(number(&start["private_bytes"]) > 0.0);
    }
}

#[test]
fn text_has_a_line_for_each_combination() {
    let text = stdout(
        &blockspan(&["bench", "--tokens", "16,24", "--repeat", "1", "--isa", "scalar"]).output().unwrap(),
    );
    assert!(text.starts_with("the default model: ") && text.contains("scalar"), "{text}");
    for tokens in ["16", "24"] {
        let lines = text.lines().filter(|line| line.split_whitespace().next() == Some(tokens));
        assert_eq!(lines.count(), 1, "{text}");
    }
    assert!(text.contains("memory at 24 tokens"), "{text}");
}

#[test]
fn sessions_are_timed_beside_one() {
    let args = ["bench", "--json", "--tokens", "16,32", "--threads", "1", "--repeat", "2", "--sessions", "3"];
    let report = json(&args);
    let rows = report["throughput"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    for (row, tokens) in rows.iter().zip([16, 32]) {
        let number = |key: &str| row[key].as_f64().unwrap();
        assert_eq!((row["tokens"].as_u64(), row["sessions"].as_u64()), (Some(tokens), Some(3)));
        assert!(number("per_second") > 0.0 && number("one_session_per_second") > 0.0, "{row}");
        let ratio = number("per_second") / number("one_session_per_second");
        assert!((number("ratio") - ratio).abs() < 1e-9 * ratio, "{row}");
    }
    let text = stdout(&blockspan(&[&["bench"], &args[2..]].concat()).output().unwrap());
    let last: Vec<&str> = text.lines().last().unwrap().split_whitespace().collect();
    assert_eq!((last[..2].to_vec(), last.len()), (vec!["32", "3"], 6), "{text}");
    assert!(bench().get("throughput").is_none());
}

#[test]
fn refusals() {
    for (args, parts) in [
        (["--tokens", "7"], ["--tokens 7", "8 to 512"]),
        (["--tokens", "16,513"], ["--tokens 513", "8 to 512"]),
        (["--isa", "mmx"], ["--isa mmx", "mmx"]),
    ] {
        assert_refused(&blockspan(&["bench", args[0], args[1]]).output().unwrap(), &parts);
    }
    for (flag, value) in [("--tokens", "0"), ("--threads", "1,0"), ("--repeat", "0"), ("--repeat", "x")] {
        let output = blockspan(&["bench", flag, value]).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains(flag) && stderr.contains("give a whole number"), "{stderr}");
    }
}
