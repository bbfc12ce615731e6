//! What a reader replies is what one session answers, in every bit.

use std::path::Path;
use std::sync::Arc;
use std::thread;

use blockspan_reader::engine::{self, AnswerOptions, Session};
use blockspan_reader::{Decoding, Error, Job, Mode, Options, Reader, Reply, SharedModel};

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(name);
    path.to_str().unwrap().to_owned()
}

fn model() -> SharedModel {
    SharedModel::read_file(fixture("default.bspan")).unwrap()
}

/// Every question of `questions.json`, with its id.
fn questions() -> Vec<(String, Job)> {
    let file = std::fs::read_to_string(fixture("questions.json")).unwrap();
    let file: serde_json::Value = serde_json::from_str(&file).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let mut jobs = Vec::new();
    for paragraph in file["data"].as_array().unwrap().iter().flat_map(|a| a["paragraphs"].as_array().unwrap())
    {
        let passage: Arc<str> = text(&paragraph["context"]).into();
        for qa in paragraph["qas"].as_array().unwrap() {
            jobs.push((text(&qa["id"]), Job::new(text(&qa["question"]), Arc::clone(&passage))));
        }
    }
    assert!(jobs.len() >= 50);
    jobs
}

/// A passage of some hundred tokens, in which every sentence is another.
fn long_passage(sentences: usize) -> String {
    let sentence =
        |n| format!("Lighthouse {n} was built in {} and is {} metres high — naïve 🗼. ", 1500 + n, 10 + n);
    (0..sentences).map(sentence).collect()
}

/// What a session of the engine says, in the reader's words.
fn alone(session: &mut Session<'_>, job: &Job) -> Result<Reply, engine::Error> {
    let Decoding::RunQa(rules) = job.options.decoding else { panic!("a session has no other rules") };
    let mut answers = vec![engine::Answer::default(); job.options.top_k];
    let outcome = session.answer(&job.question, &job.passage, &rules, &mut answers)?;
    let answer = |answer: &engine::Answer| blockspan_reader::Answer {
        text: job.passage[answer.start..answer.end].to_owned(),
        start: answer.start,
        end: answer.end,
        start_char: answer.start_char,
        end_char: answer.end_char,
        start_utf16: job.passage[..answer.start].encode_utf16().count(),
        end_utf16: job.passage[..answer.end].encode_utf16().count(),
        score: answer.score,
        start_logit: answer.start_logit,
        end_logit: answer.end_logit,
    };
    Ok(Reply {
        answers: answers.iter().take(outcome.answers).map(answer).collect(),
        null_diff: outcome.null_diff,
        null_logits: outcome.null_logits,
        windows: outcome.windows,
    })
}

fn options(top_k: usize, doc_stride: Option<usize>) -> Options {
    let rules = AnswerOptions { doc_stride, ..AnswerOptions::default() };
    Options { top_k, decoding: Decoding::RunQa(rules), ..Options::default() }
}

#[test]
fn replies_are_the_golden_answers() {
    let golden = std::fs::read_to_string(fixture("golden_answers.json")).unwrap();
    let golden: serde_json::Value = serde_json::from_str(&golden).unwrap();
    let (ids, jobs): (Vec<_>, Vec<_>) = questions().into_iter().unzip();
    let reader = Reader::builder(model()).threads(2).build().unwrap();
    let replies: Vec<_> = reader.answer_many(jobs).collect();
    let mut compared = 0;
    for (id, reply) in ids.iter().zip(replies) {
        let (golden, reply) = (&golden[id], reply.unwrap());
        if golden.is_null() {
            continue;
        }
        let answer = &reply.answers[0];
        let found = serde_json::json!({
            "text": answer.text,
            "bytes": [answer.start, answer.end],
            "chars": [answer.start_char, answer.end_char],
            "start_logit_bits": answer.start_logit.to_bits(),
            "end_logit_bits": answer.end_logit.to_bits(),
            "score_bits": answer.score.to_bits(),
            "null_diff_bits": reply.null_diff.to_bits(),
        });
        assert_eq!(&found, golden, "{id}");
        compared += 1;
    }
    assert!(compared >= 50, "{compared}");
}

#[test]
fn sessions_modes_and_windows_change_no_bit() {
    let model = model();
    let mut workspace = vec![0; model.model().workspace_len(96, 1)];
    let mut session = Session::with(model.model(), 96, &mut workspace, Default::default()).unwrap();
    let mut jobs: Vec<Job> =
        questions().into_iter().step_by(7).map(|(_, job)| job.with(options(5, Some(32)))).collect();
    // From one window to many; and some that cannot be answered, in between.
    for sentences in [1, 4, 9, 70] {
        jobs.push(Job::new("How high is lighthouse 7?", long_passage(sentences)).with(options(20, Some(24))));
        jobs.push(Job::new("", "A passage.").with(options(1, None)));
        jobs.push(Job::new("What?", " \n").with(options(1, None)));
        jobs.push(Job::new("word ".repeat(95), "A passage.").with(options(1, None)));
        jobs.push(Job::new("What?", "A passage.").with(options(1, Some(96))));
    }
    let expected: Vec<_> = jobs.iter().map(|job| alone(&mut session, job).map_err(Error::from)).collect();
    assert!(expected.iter().filter(|reply| reply.is_err()).count() == 16);
    assert!(expected.iter().flatten().any(|reply| reply.windows > 15));
    for (mode, threads) in
        [(Mode::Throughput, 1), (Mode::Throughput, 2), (Mode::Throughput, 5), (Mode::Latency, 3)]
    {
        let reader =
            Reader::builder(model.clone()).mode(mode).threads(threads).max_seq_len(96).build().unwrap();
        let (sessions, each) = (reader.sessions(), reader.threads_per_session());
        assert_eq!((sessions, each), if mode == Mode::Latency { (1, 3) } else { (threads, 1) });
        let replies: Vec<_> = reader.answer_many(jobs.iter().cloned()).collect();
        assert!(replies == expected, "{mode:?}, {threads} threads");
        // One at a time, so that every session that has nothing to do reads windows of it.
        for (job, expected) in jobs.iter().zip(&expected) {
            assert!(reader.answer(job.clone()) == *expected, "{mode:?}, {threads} threads");
        }
    }
}

#[test]
fn a_job_may_ask_for_shorter_windows_than_the_readers() {
    let model = model();
    let mut workspace = vec![0; model.model().workspace_len(64, 1)];
    let mut session = Session::with(model.model(), 64, &mut workspace, Default::default()).unwrap();
    let job = Job::new("How high is lighthouse 3?", long_passage(12)).with(options(3, None));
    let expected = alone(&mut session, &job).unwrap();
    let reader = Reader::builder(model).threads(2).build().unwrap();
    let short = Options { max_seq_len: Some(64), ..job.options };
    let reply = reader.answer(job.clone().with(short)).unwrap();
    assert_eq!(reply, expected);
    assert!(reply.windows > reader.answer(job.clone()).unwrap().windows);
    for tokens in [0, 7, 385] {
        let wrong = Options { max_seq_len: Some(tokens), ..job.options };
        let error = reader.answer(job.clone().with(wrong)).unwrap_err();
        assert_eq!(error.to_string(), format!("windows of {tokens} tokens do not work here; use 8 to 384"));
    }
}

#[test]
fn options_out_of_range_are_refused_by_name() {
    let reader = Reader::builder(model()).threads(1).build().unwrap();
    let job = Job::new("How high is it?", "It is 31 metres high.");
    let message = |options| reader.answer(job.clone().with(options)).unwrap_err().to_string();
    assert_eq!(message(options(0, None)), "top_k must be 1 to n_best");
    assert_eq!(message(options(21, None)), "top_k must be 1 to n_best");
    let rules = AnswerOptions { n_best: 65, ..AnswerOptions::default() };
    let many = Options { decoding: Decoding::RunQa(rules), ..Options::default() };
    assert_eq!(message(many), "n_best must be 1 to 64");
}

#[test]
fn many_threads_may_ask_at_the_same_time() {
    let jobs: Vec<Job> = questions().into_iter().step_by(5).map(|(_, job)| job).collect();
    let reader = Reader::builder(model()).threads(2).queue_capacity(1).build().unwrap();
    let expected: Vec<_> = reader.answer_many(jobs.clone()).collect();
    thread::scope(|scope| {
        let threads: Vec<_> =
            (0..4).map(|_| scope.spawn(|| reader.answer_many(jobs.clone()).collect::<Vec<_>>())).collect();
        for thread in threads {
            assert!(thread.join().unwrap() == expected);
        }
    });
}

#[test]
fn only_some_jobs_are_taken_ahead_of_the_replies() {
    let job = Job::new("How high is it?", "It is 31 metres high.");
    let reader = Reader::builder(model()).threads(2).build().unwrap();
    let mut taken = 0;
    let jobs = core::iter::repeat_with(|| {
        taken += 1;
        job.clone()
    });
    // A stream without an end.
    let mut replies = reader.answer_many(jobs);
    for _ in 0..5 {
        assert_eq!(replies.next().unwrap().unwrap().answers[0].text, "31 metres high");
    }
    drop(replies);
    assert!((5..=5 + 8).contains(&taken), "{taken}");
}
