//! `blockspan batch --out FILE --resume`: what a run that was stopped leaves, and how the next one goes on.

use core::time::Duration;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::batch::questions;
use crate::common::{TempFile, assert_refused, blockspan, stdout};

struct Files {
    input: TempFile,
    out: PathBuf,
    partial: PathBuf,
}

impl Files {
    fn new(input: &str) -> Self {
        let input = TempFile::new("questions.jsonl", input.as_bytes());
        let at = |name: &str| input.directory.path().join(name);
        Self { out: at("answers.jsonl"), partial: at("answers.jsonl.partial"), input }
    }

    fn batch(&self, more: &[&str]) -> Command {
        let mut command = blockspan(&["batch", self.input.name(), "--out"]);
        command.arg(&self.out).args(more);
        command
    }

    /// What an uninterrupted run writes.
    fn expected(&self) -> String {
        stdout(&blockspan(&["batch", self.input.name()]).output().unwrap())
    }
}

/// Twenty kills, at moments spread at random over a run.
#[test]
fn killed_at_random_moments_it_ends_with_the_bytes_of_an_uninterrupted_run() {
    let files = Files::new(&questions(120));
    let begin = std::time::Instant::now();
    let expected = files.expected();
    let whole = begin.elapsed();
    // Any sequence will do; this one is printed by a failure.
    let mut seed = u64::from(std::process::id());
    let (mut kills, mut interrupted, mut longest) = (0, 0, 0);
    while kills < 20 {
        let mut child = files.batch(&["--resume"]).stderr(Stdio::null()).spawn().unwrap();
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        std::thread::sleep(whole.mul_f64((seed >> 40) as f64 / (1u64 << 24) as f64 / 2.0));
        // SIGKILL.
        child.kill().unwrap();
        let status = child.wait().unwrap();
        kills += 1;
        interrupted += usize::from(!status.success());
        if files.out.exists() {
            assert_eq!(fs::read_to_string(&files.out).unwrap(), expected, "seed {seed}");
            assert!(!files.partial.exists());
            fs::remove_file(&files.out).unwrap();
            longest = 0;
            continue;
        }
        // A kill may come before the file is made.
        let so_far = fs::read(&files.partial).unwrap_or_default();
        assert!(expected.as_bytes().starts_with(&so_far), "seed {seed}");
        assert!(so_far.len() >= longest, "lines are lost; seed {seed}");
        longest = so_far.len();
    }
    assert!(interrupted >= 10, "only {interrupted} runs were interrupted");
    stdout(&files.batch(&["--resume"]).output().unwrap());
    assert_eq!(fs::read_to_string(&files.out).unwrap(), expected);
    assert!(!files.partial.exists());
}

#[test]
fn a_line_that_was_cut_is_written_anew() {
    let files = Files::new(&(questions(6) + "not JSON\n" + &questions(2)));
    let output = files.batch(&[]).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let expected = fs::read_to_string(&files.out).unwrap();
    assert_eq!(expected.lines().count(), 9);
    for cut in (0..expected.len()).step_by(expected.len() / 23).chain([expected.len() - 1, expected.len()]) {
        fs::remove_file(&files.out).unwrap();
        fs::write(&files.partial, &expected.as_bytes()[..cut]).unwrap();
        let output = files.batch(&["--resume", "--sessions", "2"]).output().unwrap();
        // Errors of the earlier run count, too.
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        assert_eq!(fs::read_to_string(&files.out).unwrap(), expected, "cut at byte {cut}");
        assert!(!files.partial.exists());
    }
}

#[test]
fn a_complete_file_stays_and_grows_with_its_input() {
    let files = Files::new(&questions(3));
    stdout(&files.batch(&[]).output().unwrap());
    let first = fs::read_to_string(&files.out).unwrap();
    stdout(&files.batch(&["--resume"]).output().unwrap());
    assert_eq!(fs::read_to_string(&files.out).unwrap(), first);
    fs::write(&files.input.path, questions(5)).unwrap();
    stdout(&files.batch(&["--resume"]).output().unwrap());
    assert_eq!(fs::read_to_string(&files.out).unwrap(), files.expected());
}

#[test]
fn what_another_run_left_is_not_gone_on_with() {
    let files = Files::new(&questions(4));
    let lines = files.expected();
    let two: String = lines.split_inclusive('\n').take(2).collect();
    let refused = |partial: &str, more: &[&str], parts: &[&str]| {
        fs::write(&files.partial, partial).unwrap();
        assert_refused(&files.batch(more).output().unwrap(), parts);
        assert_eq!(fs::read_to_string(&files.partial).unwrap(), partial, "it is left alone");
    };
    refused(&two, &[], &["answers.jsonl.partial", "use --resume to go on with it, or remove it"]);
    refused(
        &two,
        &["--resume", "--top-k", "2"],
        &["question \"q1\" has another answer now", "give the model"],
    );
    refused("hello\nyou\n", &["--resume"], &["line 1: no output of this command"]);
    let other = two.replace("q1", "q9");
    refused(&other, &["--resume"], &["line 2: not about the question \"q1\"", "or remove the file"]);
    let more = lines.clone() + &lines;
    refused(&more, &["--resume"], &["line 5: the input has ended before"]);
}

#[test]
fn two_runs_do_not_write_the_same_file() {
    let files = Files::new(&questions(400));
    let mut first = files.batch(&["--sessions", "1"]).stderr(Stdio::null()).spawn().unwrap();
    // It holds the file's lock by the time that it has written a line.
    while fs::metadata(&files.partial).map_or(0, |metadata| metadata.len()) == 0 {
        assert!(first.try_wait().unwrap().is_none(), "ended without a line");
        std::thread::sleep(Duration::from_millis(1));
    }
    let second = files.batch(&["--resume"]).output().unwrap();
    let running = first.try_wait().unwrap().is_none();
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(running, "the first run ended before the second was refused");
    assert_refused(&second, &["another run is writing it", "give another --out"]);
}

/// Nothing to go on with is nothing left.
#[test]
fn a_run_that_fails_before_its_first_answer_leaves_no_file() {
    let files = Files::new("");
    fs::write(files.input.path.with_extension("csv"), "id,text\n").unwrap();
    let mut command = blockspan(&["batch", "--out"]);
    command.arg(&files.out).arg(files.input.path.with_extension("csv"));
    assert_refused(&command.output().unwrap(), &["name columns question"]);
    assert!(!files.partial.exists() && !files.out.exists());
}
