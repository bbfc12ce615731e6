//! A run that is killed, interrupted or short of disk space loses at most the work since its last checkpoint.

#[path = "common/command.rs"]
mod command;
mod common;

use core::time::Duration;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use command::{run, succeeds, trainer};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tempfile::TempDir;

/// 30 epochs of 3 steps.
const FINETUNE: &str = "finetune --base base --train data.json --teacher base --sparsity 0.5 --epochs 30 \
                        --schedule gradual --score taylor --prune-begin 0.1 --prune-end 0.7 --prune-every 7 \
                        --batch-size 1 --gradient-accumulation 2 --max-seq-len 24 --doc-stride 8 --lr 1e-3 \
                        --unanswerable-rate 0.3 --seed 7 --save-every 2";

const KILLS: usize = 20;

/// A run whose output stays out of the test's.
fn quiet(root: &Path, line: &str) -> Command {
    let mut command = trainer(root, line);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A directory with the model `base`, the data set `data.json` and, in `whole`, the result of an undisturbed run.
fn workplace() -> TempDir {
    let root = tempfile::tempdir().expect("a directory");
    common::write_base(root.path(), 1);
    succeeds(root.path(), &format!("{FINETUNE} --out whole"));
    root
}

fn weights(root: &Path, out: &str) -> Vec<u8> {
    std::fs::read(root.join(out).join("model.safetensors")).expect("weights")
}

/// The numbers of steps and their losses to the last digit, as `metrics.jsonl` has them.
fn losses(root: &Path, out: &str) -> Vec<(u64, f64)> {
    let text = std::fs::read_to_string(root.join(out).join("metrics.jsonl")).expect("metrics");
    let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    lines
        .map(|line| (line["step"].as_u64().expect("a step"), line["loss"].as_f64().expect("a loss")))
        .collect()
}

fn checkpoints(root: &Path, out: &str) -> Vec<String> {
    let entries = std::fs::read_dir(root.join(out).join("checkpoints")).expect("checkpoints");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
    names.sort();
    names
}

fn assert_same_end(root: &Path, out: &str) {
    assert_eq!(losses(root, out), losses(root, "whole"), "losses");
    assert!(weights(root, out) == weights(root, "whole"), "the weights differ");
}

/// Starts a run in `out` and waits until it has saved its first checkpoint.
fn started(root: &Path, out: &str) -> Child {
    let mut child = quiet(root, &format!("{FINETUNE} --out {out}")).spawn().expect("the binary runs");
    let begin = Instant::now();
    while !root.join(out).join("checkpoints/step-00000002").exists() {
        assert!(child.try_wait().expect("a child").is_none(), "it ended early");
        assert!(begin.elapsed() < Duration::from_secs(60), "no checkpoint after a minute");
        std::thread::sleep(Duration::from_millis(1));
    }
    child
}

#[test]
fn killed_twenty_times_it_ends_where_an_undisturbed_run_ends() {
    let root = workplace();
    let root = root.path();
    let begin = Instant::now();
    succeeds(root, &format!("{FINETUNE} --out timed"));
    let whole = begin.elapsed();
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_nanos() as u64;
    println!("moments by seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let arguments = format!("{FINETUNE} --out killed --resume");
    let mut kills = 0;
    while kills < KILLS {
        let mut child = quiet(root, &arguments).spawn().expect("the binary runs");
        std::thread::sleep(whole.mul_f64(rng.random_range(0.0..0.1)));
        if let Some(status) = child.try_wait().expect("a child") {
            // Faster than the measured run: begin anew, so that kills meet a run.
            let output = child.wait_with_output().expect("its output");
            assert!(status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            std::fs::remove_dir_all(root.join("killed")).expect("removed");
            continue;
        }
        child.kill().expect("SIGKILL");
        child.wait().expect("it ends");
        kills += 1;
    }
    succeeds(root, &arguments);
    assert_same_end(root, "killed");
    assert_eq!(checkpoints(root, "killed"), checkpoints(root, "whole"), "nothing unfinished stays");
    // A run that has ended has nothing left to do.
    succeeds(root, &arguments);
    assert_same_end(root, "killed");
}

#[cfg(unix)]
#[test]
fn interrupted_it_saves_and_says_so() {
    let root = workplace();
    let root = root.path();
    for (signal, status) in [("INT", 130), ("TERM", 143)] {
        let out = format!("out-{signal}");
        let child = started(root, &out);
        // Twice at once is one request: `timeout` signals the process and then its group.
        let kill = format!("kill -{signal} {0}; kill -{signal} {0}", child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().expect("sh").success());
        let output = child.wait_with_output().expect("it ends");
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{message}");
        let last = message.trim_end().lines().last().expect("a message");
        assert!(last.starts_with("stopped and saved at step ") && last.contains("--resume"), "{last}");
        // What it said it saved is there, though no multiple of --save-every need be.
        let step: usize = last.split([' ', ';']).filter_map(|word| word.parse().ok()).next().expect("a step");
        assert!(root.join(&out).join(format!("checkpoints/step-{step:08}/model.safetensors")).exists());
        assert!(!root.join(&out).join("model.safetensors").exists(), "the result is not there yet");
        succeeds(root, &format!("{FINETUNE} --out {out} --resume"));
        assert_same_end(root, &out);
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn a_run_keeps_freed_memory_in_the_process_that_was_started() {
    let root = workplace();
    let mut child = started(root.path(), "out");
    let proc = Path::new("/proc").join(child.id().to_string());
    let [environment, arguments] = ["environ", "cmdline"].map(|file| {
        let bytes = std::fs::read(proc.join(file)).expect("a file of the process");
        String::from_utf8(bytes).expect("UTF-8")
    });
    child.kill().expect("SIGKILL");
    child.wait().expect("it ends");
    assert!(environment.contains("GLIBC_TUNABLES=glibc.malloc."), "{environment}");
    let line: Vec<&str> = arguments.split_terminator('\0').skip(1).collect();
    assert_eq!(
        line.join(" "),
        format!("{FINETUNE} --out out").split_whitespace().collect::<Vec<_>>().join(" ")
    );
}

#[cfg(unix)]
#[test]
fn a_full_disk_leaves_the_last_checkpoint() {
    let root = workplace();
    let root = root.path();
    let mut child = started(root, "out");
    child.kill().expect("SIGKILL");
    child.wait().expect("it ends");
    let before: Vec<String> =
        checkpoints(root, "out").into_iter().filter(|name| name.starts_with("step-")).collect();
    // Files may not grow beyond 16 blocks of 512 bytes; the weights do. Without its signal the limit is an error of
    // the call that writes, as a full disk is.
    let script = format!(
        "ulimit -f 16; trap '' XFSZ; exec '{}' {FINETUNE} --out out --resume",
        env!("CARGO_BIN_EXE_blockspan-trainer")
    );
    let output = Command::new("sh").current_dir(root).args(["-c", &script]).output().expect("sh");
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    let error = message.lines().last().expect("a message");
    let last = before.last().expect("a checkpoint").trim_start_matches("step-").trim_start_matches('0');
    for part in ["error: ", "was not saved", "--resume", &format!("from step {last})"), "cannot write"] {
        assert!(error.contains(part), "no {part:?} in: {error}");
    }
    assert_eq!(checkpoints(root, "out"), before);
    succeeds(root, &format!("{FINETUNE} --out out --resume"));
    assert_same_end(root, "out");
}

#[test]
fn a_loss_that_is_not_finite_ends_the_run() {
    let root = workplace();
    let root = root.path();
    let output =
        run(root, &format!("{FINETUNE} --out out --max-grad-norm 1e30").replace("--lr 1e-3", "--lr 1e20"));
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    let error = message.lines().last().expect("a message");
    assert!(error.starts_with("error: step ") && error.contains("lower --lr"), "{error}");
    assert!(!root.join("out/model.safetensors").exists());
    for name in checkpoints(root, "out") {
        let path = root.join("out/checkpoints").join(&name);
        let config = blockspan_trainer::config::Config::read(&path).expect("a configuration");
        // Reading refuses what is not finite.
        blockspan_trainer::checkpoint::load(&path, &config, 0).expect(&name);
    }
}

/// Asserts that `arguments` fail with one line that holds all of `parts`.
fn refused(root: &Path, arguments: &str, parts: &[&str]) {
    let output = run(root, arguments);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{arguments}: {message}");
    assert_eq!(message.trim_end().lines().count(), 1, "{message}");
    for part in parts {
        assert!(message.contains(part), "{arguments}: no {part:?} in: {message}");
    }
}

#[test]
fn another_run_is_neither_continued_nor_overwritten_by_mistake() {
    let root = workplace();
    let root = root.path();
    let again = format!("{FINETUNE} --out whole");
    let before = weights(root, "whole");
    refused(root, &again, &["whole/checkpoints", "step 90", "--resume", "--overwrite"]);
    refused(
        root,
        &format!("{again} --resume").replace("--seed 7", "--seed 8"),
        &["--seed is 8", "began with 7"],
    );
    for (flag, another, parts) in [
        ("--prune-every 7", "--prune-every 8", ["--prune-every is 8", "began with 7"]),
        ("--score taylor", "--score magnitude", ["--score is magnitude", "began with taylor"]),
        ("able-rate 0.3", "able-rate 0.4", ["--unanswerable-rate is 0.4", "began with 0.3"]),
        ("--unanswerable-rate 0.3", "", ["began with --unanswerable-rate 0.3", "give the same"]),
    ] {
        refused(root, &format!("{again} --resume").replace(flag, another), &parts);
    }
    refused(
        root,
        &format!("{again} --resume").replace("--teacher base", ""),
        &["--teacher is none", "began with base", "--overwrite"],
    );
    let longer = common::DATA.replacen("who sat ?", "who sat ? who ?", 1);
    std::fs::write(root.join("data.json"), longer).expect("data.json");
    refused(root, &format!("{again} --resume"), &["--resume", "training data changed"]);
    std::fs::remove_file(root.join("data.json")).expect("removed");
    refused(root, &format!("{again} --resume"), &["data.json", "cannot read"]);
    std::fs::write(root.join("data.json"), common::DATA).expect("data.json");
    assert!(weights(root, "whole") == before);
    succeeds(root, &format!("{again} --overwrite").replace("--epochs 30", "--epochs 2"));
    assert_eq!(checkpoints(root, "whole"), ["step-00000004", "step-00000006"]);
    assert_eq!(losses(root, "whole").len(), 6);
}

#[cfg(unix)]
#[test]
fn two_runs_at_once_do_not_share_a_directory() {
    let root = workplace();
    let root = root.path();
    let mut child = started(root, "out");
    // Stopped, so that it does not end first on a busy machine; its lock stays.
    if cfg!(unix) {
        let stopped = Command::new("kill").args(["-STOP", &child.id().to_string()]).status();
        assert!(stopped.expect("kill").success());
    }
    refused(root, &format!("{FINETUNE} --out out --resume"), &["out: another run is writing to it", "--out"]);
    child.kill().expect("SIGKILL");
    child.wait().expect("it ends");
    succeeds(root, &format!("{FINETUNE} --out out --resume"));
    assert_same_end(root, "out");
}

#[test]
fn a_damaged_checkpoint_is_named() {
    let root = workplace();
    let root = root.path();
    let newest = checkpoints(root, "whole").pop().expect("a checkpoint");
    let again = format!("{FINETUNE} --out whole --resume");
    for file in ["training.json", "training.safetensors", "model.safetensors"] {
        let path = root.join("whole/checkpoints").join(&newest).join(file);
        let whole = std::fs::read(&path).expect("a file");
        std::fs::write(&path, &whole[..whole.len() / 2]).expect("cut");
        let output = run(root, &again);
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{file}: {message}");
        let error = message.lines().last().expect("a message");
        assert!(error.contains(&newest) && error.contains(file), "{error}");
        std::fs::write(&path, &whole).expect("mended");
    }
    // Without the damaged checkpoint the run goes on from the one before.
    std::fs::remove_dir_all(root.join("whole/checkpoints").join(newest)).expect("removed");
    let before = weights(root, "whole");
    succeeds(root, &again);
    assert!(weights(root, "whole") == before);
}
