//! Workers that are processes: they do what one does, are found by what launchers say, and end when one is lost.

#[path = "common/command.rs"]
mod command;
mod common;

use core::time::Duration;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Instant;

use command::{run, succeeds, trainer};
use tempfile::TempDir;

/// 60 steps of four windows, however these are shared out, of 200 in an epoch.
const FINETUNE: &str = "finetune --base base --train many.json --max-steps 60 --max-seq-len 24 --doc-stride 8 --lr 1e-3 \
                        --unanswerable-rate 0.3 --seed 7 --save-every 20 --hidden-dropout 0.1 --attention-dropout 0.1";

/// How the zeros come where a test asks for some.
const PRUNED: &str =
    "--schedule gradual --sparsity 0.5 --score taylor --prune-begin 0.1 --prune-end 0.7 --prune-every 7";

/// A directory with the model `base` and the data set `many.json`: so large that an epoch, which ends with a checkpoint, has
/// many steps.
fn workplace() -> TempDir {
    let root = tempfile::tempdir().expect("a directory");
    common::write_base(root.path(), 1);
    let (begin, end) = common::DATA.split_once('[').expect("a list");
    let articles = vec![end.trim_end().strip_suffix("]}").expect("the end of the list"); 40].join(",");
    std::fs::write(root.path().join("many.json"), format!("{begin}[{articles}]}}")).expect("many.json");
    root
}

fn file(root: &Path, name: &str) -> Vec<u8> {
    std::fs::read(root.join(name)).expect(name)
}

/// The losses of a run's steps, as `metrics.jsonl` has them.
fn losses(root: &Path, out: &str) -> Vec<f64> {
    let text = std::fs::read_to_string(root.join(out).join("metrics.jsonl")).expect("metrics");
    let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    lines.map(|line| line["loss"].as_f64().expect("a loss")).collect()
}

/// Asserts that two runs took the same course but for rounding: sums of f32 in another order.
fn assert_close(root: &Path, a: &str, b: &str) {
    let (losses_a, losses_b) = (losses(root, a), losses(root, b));
    assert_eq!(losses_a.len(), losses_b.len());
    let furthest = losses_a.iter().zip(&losses_b).map(|(a, b)| (a - b).abs() / a.abs()).fold(0.0, f64::max);
    println!("{a} and {b}: losses differ by {furthest:.1e} at most");
    assert!(furthest < 1e-5, "{losses_a:?} and {losses_b:?}");
}

/// Starts a worker with each of these lines as torchrun does.
fn torchrun(root: &Path, lines: &[String]) -> Vec<Child> {
    // A port that is free, and that of torchrun before it.
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let start = |(rank, line): (usize, &String)| {
        let mut command = trainer(root, line);
        for (name, value) in [("RANK", rank), ("LOCAL_RANK", rank), ("WORLD_SIZE", lines.len())] {
            command.env(name, value.to_string());
        }
        command.env("MASTER_ADDR", "localhost").env("MASTER_PORT", (port - 1).to_string());
        command.env("TORCHELASTIC_RUN_ID", "test").env("RAYON_NUM_THREADS", "1");
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs")
    };
    lines.iter().enumerate().map(start).collect()
}

fn outputs(children: Vec<Child>) -> Vec<Output> {
    children.into_iter().map(|child| child.wait_with_output().expect("it ends")).collect()
}

fn message(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn one_two_and_four_workers_take_the_same_course() {
    let root = workplace();
    let root = root.path();
    succeeds(root, &format!("{FINETUNE} --batch-size 4 --out one"));
    for workers in [2, 4] {
        let line = format!("{FINETUNE} --workers {workers} --batch-size {}", 4 / workers);
        let said = succeeds(root, &format!("{line} --out {workers}"));
        // Of one worker.
        assert_eq!(said.lines().count(), 1, "{said}");
        assert_close(root, "one", &workers.to_string());
    }
    // Sums of parts are rounded in other places: had the workers not shared the windows, these would be equal.
    assert_ne!(losses(root, "2"), losses(root, "one"));
}

#[test]
fn as_many_workers_give_the_same_bits_however_they_are_started() {
    let root = workplace();
    let root = root.path();
    let line = format!("{FINETUNE} {PRUNED} --batch-size 2");
    for out in ["first", "second"] {
        succeeds(root, &format!("{line} --workers 2 --out {out}"));
    }
    let lines = vec![format!("{line} --out torchrun"); 2];
    for output in outputs(torchrun(root, &lines)) {
        assert!(output.status.success(), "{}", message(&output));
    }
    for other in ["second", "torchrun"] {
        assert_eq!(losses(root, "first"), losses(root, other), "{other}");
        for name in ["model.safetensors", "checkpoints/step-00000060/training.safetensors"] {
            let (a, b) = (file(root, &format!("first/{name}")), file(root, &format!("{other}/{name}")));
            assert!(a == b, "{other}: {name} differs");
        }
    }
}

/// Waits until a run has saved its first checkpoint.
fn wait_for_checkpoint(root: &Path, out: &str, child: &mut Child) {
    let begin = Instant::now();
    while !root.join(out).join("checkpoints/step-00000020").exists() {
        assert!(child.try_wait().expect("a child").is_none(), "it ended early");
        assert!(begin.elapsed() < Duration::from_secs(60), "no checkpoint after a minute");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_killed_worker_ends_the_others_and_the_run_goes_on_with_another_number() {
    let root = workplace();
    let root = root.path();
    // Long enough not to end before it is killed.
    let long = FINETUNE.replace("--max-steps 60", "--max-steps 400");
    succeeds(root, &format!("{long} --batch-size 4 --out whole"));
    for (lost, out, share) in
        [(0, "first", "--workers 2 --batch-size 2"), (2, "third", "--batch-size 1 --gradient-accumulation 4")]
    {
        let lines = vec![format!("{long} --batch-size 1 --out {out}"); 4];
        let mut children = torchrun(root, &lines);
        wait_for_checkpoint(root, out, &mut children[0]);
        children[lost].kill().expect("SIGKILL");
        for (rank, output) in outputs(children).iter().enumerate().filter(|(rank, _)| *rank != lost) {
            let message = message(output);
            assert_eq!(output.status.code(), Some(2), "worker {rank}: {message}");
            let error = message.trim_end().lines().last().expect("a message");
            assert!(error.contains("is lost") && error.contains("--resume"), "{error}");
        }
        assert!(!root.join(out).join("model.safetensors").exists(), "it ended before it was killed");
        let said = run(root, &format!("{long} {share} --out {out} --resume"));
        assert!(said.status.success(), "{}", message(&said));
        assert!(message(&said).contains("shared out in another way"), "{}", message(&said));
        assert_close(root, "whole", out);
    }
}

/// Asserts that every worker refuses to go on, with one line that holds all of `parts`.
fn refused(outputs: &[Output], parts: &[&str]) {
    for output in outputs {
        let message = message(output);
        assert_eq!(output.status.code(), Some(2), "{message}");
        let error = message.trim_end().lines().last().expect("a message");
        for part in parts {
            assert!(error.contains(part), "no {part:?} in: {message}");
        }
    }
}

#[test]
fn what_cannot_work_is_refused_by_all() {
    let root = workplace();
    let root = root.path();
    let line = |more: &str| format!("{FINETUNE} --batch-size 2 {more} --out out");
    let started = |a: &str, b: &str| outputs(torchrun(root, &[line(a), line(b)]));
    refused(&started("", "--max-grad-norm 2"), &["the workers differ in their options"]);
    refused(&started("--workers 3", "--workers 3"), &["--workers 3: 2 of them were started"]);
    assert!(!root.join("out/metrics.jsonl").exists() || losses(root, "out").is_empty());
    succeeds(root, &line("--workers 2"));
    let again = |more: &str| [run(root, &line(&format!("--resume {more}")))];
    refused(&again("--workers 3"), &["a step has 6 windows", "× 3 workers", "began with 4", "× 2 workers"]);
    refused(&again("--workers 0"), &["--workers 0: give at least 1"]);
    let output = trainer(root, &line("--resume")).env("WORLD_SIZE", "2").output().expect("the binary runs");
    refused(&[output], &["RANK is not"]);
    let mut command = trainer(root, &line("--resume"));
    command.env("WORLD_SIZE", "2").env("RANK", "1");
    refused(&[command.output().expect("the binary runs")], &["MASTER_ADDR and MASTER_PORT"]);
    let output = run(root, &line("--workers 2").replace("--train many.json", "--train -"));
    refused(&[output], &["2 workers cannot all read standard input"]);
    let output =
        run(root, &line("--workers 2 --overwrite").replace("--train many.json", "--train none.json"));
    refused(&[output], &["none.json"]);
}

#[cfg(unix)]
#[test]
fn an_interrupted_worker_makes_all_save_and_stop() {
    let root = workplace();
    let root = root.path();
    let line = format!("{FINETUNE} --workers 2 --batch-size 2 --out out")
        .replace("--max-steps 60", "--max-steps 6000");
    let mut command = trainer(root, &line);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    wait_for_checkpoint(root, "out", &mut child);
    let kill = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(kill.expect("kill").success());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(143), "{}", message(&output));
    let message = message(&output);
    let last = message.trim_end().lines().last().expect("a message");
    assert!(last.starts_with("stopped and saved at step "), "{message}");
}
