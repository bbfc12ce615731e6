//! `blockspan ask`.

mod documents;
mod searched;

use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use blockspan_reader::{Decoding, Error, Job, Mode, Options, Reader, engine};

use crate::answering;
use crate::cli::Ask;
use crate::model_source::ModelSource;
use crate::output::text::{Entry, Marks, Reply};
use crate::output::{self, json, text};
use crate::passage::Passage;
use crate::runtime;
use crate::search::Corpus;

/// Reads the passage or the documents, answers, prints.
pub fn run(args: &Ask) -> Result<()> {
    let (top_k, n_best) = (args.top_k, args.decoding.n_best);
    for (name, value) in [("--top-k", top_k), ("--per-document", args.per_document)] {
        ensure!(value <= n_best, "{name} {value}: only --n-best {n_best} answers are kept; raise --n-best");
    }
    if args.passage.is_stdin() {
        args.model.check_not_stdin(
            "standard input holds the passage; give that with --context or --context-file FILE",
        )?;
    }
    match Corpus::of(&args.passage)? {
        Some(corpus) => searched(args, &corpus),
        None if args.passages.is_some() => {
            bail!("--passages: is for --index and --folder; give one of them, or leave it out")
        }
        None if args.passage.has_documents() => many(args),
        None => one(args),
    }
}

/// The best answers from one passage, in a session on all threads.
fn one(args: &Ask) -> Result<()> {
    let passage = Passage::read(&args.passage)?;
    let asking = Asking::new(args, Mode::Latency)?;
    let start = Instant::now();
    let document = passage.document;
    let options =
        Options { top_k: args.top_k, max_seq_len: None, decoding: Decoding::RunQa(asking.decoding.options) };
    let job = Job::new(args.question.as_str(), Arc::clone(&document.text)).with(options);
    let reply = asking.reader.answer(job).map_err(|error| {
        let about_the_passage =
            matches!(error, Error::Engine(engine::Error::EmptyPassage | engine::Error::TextTooLong));
        let error = answering::remedy(error);
        if about_the_passage { error.context(passage.origin.to_string()) } else { error }
    })?;
    let answered = start.elapsed();
    let null_threshold = asking.decoding.options.null_threshold;
    answering::check_numbers(&reply, null_threshold).with_context(|| asking.name.clone())?;
    if args.json {
        let positions: Vec<_> =
            reply.answers.iter().map(|answer| document.position_at(answer.start)).collect();
        let object = json::Object::new(None, &args.question, &reply, asking.reader.model());
        let object = object.with_positions(&positions);
        output::print(&json::line(&object)?)?;
    } else {
        let entry =
            |answer| Entry { answer, document: &document, place: None, sentence: None, also: Vec::new() };
        asking.show(args, reply.answers.iter().map(entry).collect(), reply.null_diff)?;
    }
    asking.tell(args, answered, "", reply.windows, reply.null_diff);
    Ok(())
}

/// The best answers of several documents, in a session on each core.
fn many(args: &Ask) -> Result<()> {
    let asking = Asking::new(args, Mode::Throughput)?;
    let start = Instant::now();
    let found = documents::rank(args, &asking.reader, &asking.decoding.options)?;
    let answered = start.elapsed();
    let ranking = &found.ranking;
    answering::check_ranking(ranking).with_context(|| asking.name.clone())?;
    if args.json {
        let object = json::Object::ranked(None, &args.question, ranking, &found.names, asking.reader.model());
        output::print(&json::line(&object.with_positions(&found.positions()))?)?;
    } else {
        asking.show(args, found.entries(), ranking.null_diff)?;
    }
    let documents = format!("documents {}, ", ranking.documents);
    asking.tell(args, answered, &documents, ranking.windows, ranking.null_diff);
    Ok(())
}

/// The best answers from an index, in a session on each core.
fn searched(args: &Ask, corpus: &Corpus) -> Result<()> {
    let asking = Asking::new(args, Mode::Throughput)?;
    let start = Instant::now();
    let found = searched::answer(args, corpus, &asking.reader, &asking.decoding.options)?;
    let answered = start.elapsed();
    answering::check_found(&found).with_context(|| asking.name.clone())?;
    if args.json {
        let object = json::Object::found(None, &args.question, &found, asking.reader.model());
        output::print(&json::line(&object)?)?;
    } else if found.passages == 0 {
        output::print("no answer in these documents\n  none of them has a word of the question\n")?;
    } else {
        let documents = searched::documents(corpus, &found);
        asking.show(args, searched::entries(&found, &documents), found.null_diff)?;
    }
    let passages = format!("passages {}, ", found.passages);
    asking.tell(args, answered, &passages, found.windows, found.null_diff);
    Ok(())
}

/// What answers.
struct Asking {
    /// The model's, for messages.
    name: String,
    reader: Reader,
    decoding: runtime::Decoding,
    /// How long all that took.
    loaded: Duration,
}

impl Asking {
    fn new(args: &Ask, mode: Mode) -> Result<Self> {
        let kernels = runtime::kernels(args.runtime.isa.as_deref())?;
        let threads = runtime::threads_or_cores(args.runtime.threads);
        let start = Instant::now();
        let source = ModelSource::open(args.model.model.as_deref())?;
        let name = source.to_string();
        let model = source.share()?;
        let decoding = runtime::Decoding::new(&args.decoding, model.model().config())?;
        let builder = Reader::builder(model).mode(mode).threads(threads).kernels(kernels);
        let reader = builder.max_seq_len(decoding.max_seq_len).build().map_err(runtime::remedy)?;
        Ok(Self { name, reader, decoding, loaded: start.elapsed() })
    }

    /// For people.
    fn show(&self, args: &Ask, entries: Vec<Entry<'_>>, null_diff: f32) -> Result<()> {
        let model = self.reader.model();
        // The file's recommendation only tells people how to take an answer; programs have `answerable`.
        let asked_otherwise = args.always_answer || args.decoding.null_threshold.is_some();
        let shown = Reply {
            what: args.passage.what(),
            entries,
            null_diff,
            null_threshold: self.decoding.options.null_threshold,
            recommended: model.null_threshold().filter(|_| !asked_otherwise),
            answerable: json::answerable(model, null_diff),
        };
        output::print(&text::reply(&shown, Marks::for_stdout(args.color)))
    }

    /// With `--verbose`, what was used and how long it took.
    fn tell(&self, args: &Ask, answered: Duration, documents: &str, windows: usize, null_diff: f32) {
        if !args.verbose {
            return;
        }
        let threads = self.reader.sessions() * self.reader.threads_per_session();
        let answerable = json::answerable(self.reader.model(), null_diff);
        output::note(&format!(
            "{}: loaded in {:.1} ms, answered in {:.1} ms; {documents}windows {windows}, isa {}, threads {threads}, \
             null_diff {null_diff:.3}{}",
            self.name,
            1e3 * self.loaded.as_secs_f64(),
            1e3 * answered.as_secs_f64(),
            self.reader.isa(),
            answerable.map_or_else(String::new, |probability| format!(", answerable {probability:.4}")),
        ));
    }
}
