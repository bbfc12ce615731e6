//! `blockspan selftest`: whether this machine computes what was recorded elsewhere.

use anyhow::{Context, Result, anyhow};
use blockspan_engine::{Isa, MAX_THREADS, available, kernels_for};
use blockspan_reader::{Decoding, Job, Mode, Options, Reader, SharedModel, cores};
use serde::Deserialize;
use serde_json::Value;

use crate::cli::Selftest;
use crate::compare::{Comparison, Report};
use crate::model_source::ModelSource;
use crate::output::{self, json};
use crate::runtime::{self, remedy};

/// Exit status: something differs.
const DIFFERENT: u8 = 1;

/// Answers to each question that are compared.
const TOP_K: usize = 3;

/// The built-in questions, and the default model's answers: what `blockspan batch --top-k 3` makes of them.
#[cfg(default_model)]
mod recorded {
    pub const QUESTIONS: &str = include_str!("../../fixtures/selftest.jsonl");
    pub const ANSWERS: &str = include_str!("../../fixtures/selftest_answers.jsonl");
}
#[cfg(not(default_model))]
mod recorded {
    pub const QUESTIONS: &str = "";
    pub const ANSWERS: &str = "";
}

/// A built-in question.
#[derive(Deserialize)]
struct Question {
    id: Value,
    question: String,
    context: String,
}

/// What answers together.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Setup {
    /// One session of so many threads, as `ask` has it.
    Threads(usize),
    /// So many sessions of one thread each, as `batch` has them.
    Sessions(usize),
}

/// Asks with everything that this machine has, prints a line for each; returns the exit status.
pub fn run(args: &Selftest) -> Result<u8> {
    // Without a default model there is nothing to compare with; the message says what to do.
    let model = ModelSource::open(None).map_err(|_| {
        anyhow!(
            "this build has no default model, and so no recorded answers; record your own with `blockspan batch` and \
             compare with --expect"
        )
    })?;
    let model = model.share()?;
    let isas: Vec<Isa> = match &args.isa {
        Some(name) => vec![runtime::kernels(Some(name))?.isa()],
        None => available().collect(),
    };
    let mut equal = true;
    for isa in isas {
        for setup in setups(cores()) {
            let report = ask(&model, isa, setup, recorded::QUESTIONS, recorded::ANSWERS)?;
            output::print(&lines(isa, setup, &report))?;
            equal &= report.is_equal();
        }
    }
    Ok(if equal { 0 } else { DIFFERENT })
}

/// One thread, two, and as many as there are cores; and a session on each core.
fn setups(cores: usize) -> Vec<Setup> {
    let mut threads = vec![1, 2, cores.min(MAX_THREADS)];
    threads.sort_unstable();
    threads.dedup();
    threads.into_iter().map(Setup::Threads).chain([Setup::Sessions(cores)]).collect()
}

/// Asks all questions once; compares with the recorded answers.
fn ask(
    model: &SharedModel,
    isa: Isa,
    setup: Setup,
    questions: &str,
    answers: &'static str,
) -> Result<Report> {
    let kernels = kernels_for(isa).with_context(|| format!("{isa}: not available here; use another"))?;
    let (mode, threads) = match setup {
        Setup::Threads(threads) => (Mode::Latency, threads),
        Setup::Sessions(sessions) => (Mode::Throughput, sessions),
    };
    let builder = Reader::builder(model.clone()).mode(mode).threads(threads).kernels(kernels);
    let reader = builder.build().map_err(remedy)?;
    let questions: Vec<Question> = questions.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let options = Options { top_k: TOP_K, max_seq_len: None, decoding: Decoding::RunQa(Default::default()) };
    let jobs = questions
        .iter()
        .map(|question| Job::new(question.question.as_str(), question.context.as_str()).with(options));
    let mut comparison = Comparison::new(answers.as_bytes(), "the recorded answers".to_owned());
    for (reply, question) in reader.answer_many(jobs).zip(&questions) {
        let (reply, id) = (reply?, Some(&question.id));
        comparison.compare(&json::line(&json::Object::new(
            id,
            &question.question,
            &reply,
            reader.model(),
        ))?)?;
    }
    comparison.finish()
}

/// A line, and below it what differs.
fn lines(isa: Isa, setup: Setup, report: &Report) -> String {
    let setup = match setup {
        Setup::Threads(threads) => format!("threads {threads}"),
        Setup::Sessions(sessions) => format!("sessions {sessions}"),
    };
    let verdict = if report.is_equal() { "ok" } else { "DIFFERENT" };
    let mut text = format!("{verdict}  {isa}, {setup}: questions {}\n", report.compared);
    if !report.is_equal() {
        for line in report.lines("the recorded answers") {
            text.push_str(&format!("  {}\n", output::printable(&line)));
        }
    }
    text
}

#[cfg(all(test, default_model))]
mod tests {
    use blockspan_engine::best;

    use super::{ModelSource, Setup, ask, lines, recorded, setups};

    #[test]
    fn thread_counts_are_different_ones() {
        use Setup::{Sessions, Threads};
        assert_eq!(setups(1), [Threads(1), Threads(2), Sessions(1)]);
        assert_eq!(setups(2), [Threads(1), Threads(2), Sessions(2)]);
        assert_eq!(setups(48), [Threads(1), Threads(2), Threads(32), Sessions(48)]);
    }

    /// As on a machine that computes one bit of one score otherwise.
    #[test]
    fn another_bit_is_a_difference_that_is_named() {
        let model = ModelSource::open(None).unwrap().share().unwrap();
        let first: serde_json::Value =
            serde_json::from_str(recorded::ANSWERS.lines().next().unwrap()).unwrap();
        let (id, score) =
            (first["id"].as_str().unwrap(), first["answers"][1]["score"].as_f64().unwrap() as f32);
        let neighbor = f32::from_bits(score.to_bits() ^ 1);
        let shown = |score: f32| serde_json::to_string(&score).unwrap();
        let changed = recorded::ANSWERS.replacen(&shown(score), &shown(neighbor), 1);
        let (isa, setup) = (best().isa(), Setup::Threads(2));
        let report = ask(&model, isa, setup, recorded::QUESTIONS, changed.leak()).unwrap();
        let text = lines(isa, setup, &report);
        let told: Vec<&str> = text.lines().collect();
        assert_eq!(told[0], format!("DIFFERENT  {isa}, threads 2: questions {}", report.compared));
        let (expected, got) = (shown(neighbor), shown(score));
        assert_eq!(told[1], format!("  {id}: answers[1].score: expected {expected}, got {got}"));
        assert_eq!(told.len(), 3, "{text}");
    }
}
