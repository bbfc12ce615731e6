//! Waiting without blocking, in a thread or under an executor, and what a reader is set up with.

use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::Command;
use std::sync::Arc;
use std::task::Wake;
use std::thread::{self, Thread};

use blockspan_reader::engine::{AlignedBytes, MAX_THREADS, MappedFile};
use blockspan_reader::{Builder, Job, Mode, PipelineOptions, Reader, SharedModel, cores};

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/default.bspan")
}

fn builder() -> Builder {
    Reader::builder(SharedModel::read_file(path()).unwrap())
}

fn job() -> Job {
    Job::new("How high is it?", "It is 31 metres high.")
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// An executor of one task.
fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn tickets_are_awaited_under_any_executor() {
    let reader = builder().threads(2).build().unwrap();
    let texts = block_on(async {
        let tickets: Vec<_> = (0..20).map(|_| reader.try_submit(job()).unwrap()).collect();
        let mut texts = Vec::new();
        for ticket in tickets {
            texts.push(ticket.await.unwrap().answers[0].text.clone());
        }
        texts
    });
    assert_eq!(texts, ["31 metres high"; 20]);
}

#[test]
fn a_wait_may_have_an_end() {
    let reader = builder().threads(1).build().unwrap();
    // Thousands of windows: no processor reads them in no time.
    let mut long = reader.submit(Job::new("How high is it?", "Gulls nest there. ".repeat(100_000)));
    assert_eq!(long.wait_for(Duration::from_millis(1)), None);
    assert!(!long.is_done());
    assert_eq!(long.times(), None);
    drop(long);
    let mut short = reader.submit(job());
    assert!(short.wait_for(Duration::MAX).unwrap().is_ok());
    assert!(short.is_done());
    assert!(short.times().unwrap().read > Duration::ZERO);
}

#[test]
fn the_model_may_be_mapped_read_or_a_part_of_the_program() {
    static PROGRAM: std::sync::LazyLock<AlignedBytes> =
        std::sync::LazyLock::new(|| AlignedBytes::read_file(path()).unwrap());
    // SAFETY: nobody writes into the fixtures.
    #[expect(unsafe_code, reason = "the promise about the file")]
    let mapped = unsafe { MappedFile::open(path()) }.unwrap();
    let models = [
        SharedModel::new(mapped),
        SharedModel::new(AlignedBytes::read_file(path()).unwrap()),
        SharedModel::new(&**PROGRAM),
    ];
    let replies = models.map(|model| {
        let model = model.unwrap();
        let reader = Reader::builder(model.clone()).threads(1).build().unwrap();
        drop(model);
        reader.answer(job()).unwrap()
    });
    assert_eq!(replies[0].answers[0].text, "31 metres high");
    assert!(replies[1..].iter().all(|reply| *reply == replies[0]));
}

#[test]
fn what_is_no_model_is_refused_by_name() {
    let message = |path: &Path| SharedModel::read_file(path).unwrap_err().to_string();
    assert!(message(Path::new("no/such.bspan")).starts_with("no/such.bspan: cannot open the model: "));
    let manifest = message(Path::new("Cargo.toml"));
    assert!(manifest.starts_with("Cargo.toml: not a .bspan model"), "{manifest}");
}

#[test]
fn settings_that_do_not_work_are_refused() {
    let message = |builder: Builder| builder.build().unwrap_err().to_string();
    assert_eq!(message(builder().threads(0)), "threads must be at least 1");
    assert_eq!(message(builder().queue_capacity(0)), "queue_capacity must be at least 1");
    let windows = "windows of 7 tokens do not work here; use 8 to 512";
    assert_eq!(message(builder().max_seq_len(7)), windows);
    assert_eq!(message(builder().max_seq_len(usize::MAX)), windows.replace('7', &usize::MAX.to_string()));
    let threads = format!("{} threads do not work here; use 1 to {MAX_THREADS}", MAX_THREADS + 1);
    assert_eq!(message(builder().mode(Mode::Latency).threads(MAX_THREADS + 1)), threads);
    // As many sessions are no trouble.
    let many = builder().threads(MAX_THREADS + 1).max_seq_len(32).build().unwrap();
    assert_eq!((many.sessions(), many.threads_per_session()), (MAX_THREADS + 1, 1));
}

/// Runs this test's own binary on one core, where a reader must have one session.
#[test]
#[cfg(target_os = "linux")]
fn a_reader_has_as_many_sessions_as_the_process_has_cores() {
    const CHILD: &str = "BLOCKSPAN_TEST_ONE_CORE";
    let reader = builder().build().unwrap();
    assert_eq!(reader.sessions(), cores());
    if std::env::var_os(CHILD).is_some() {
        assert_eq!(reader.sessions(), 1);
        println!("a reader of one session");
        return;
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap().trim();
    let first: String = allowed.chars().take_while(char::is_ascii_digit).collect();
    let name = "a_reader_has_as_many_sessions_as_the_process_has_cores";
    let child = Command::new("taskset")
        .args(["-c", &first])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, "1")
        .output()
        .expect("taskset (util-linux)");
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && output.contains("a reader of one session"), "{output}");
}

/// The defaults that programs written for the pipeline rely on.
#[test]
fn the_pipelines_rules_have_the_pipelines_defaults() {
    let rules = PipelineOptions::default();
    let numbers = (rules.max_answer_len, rules.max_question_len, rules.doc_stride);
    assert_eq!(numbers, (15, 64, None));
    assert!(rules.align_to_words && !rules.handle_impossible_answer);
}
