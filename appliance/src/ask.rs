//! `blockspan ask`.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use blockspan_reader::{Decoding, Error, Job, Mode, Options, Reader, engine};

use crate::answering;
use crate::cli::Ask;
use crate::model_source::ModelSource;
use crate::output::{self, Reply, json, text};
use crate::passage::Passage;
use crate::runtime;

/// Reads the passage, answers, prints.
pub fn run(args: &Ask) -> Result<()> {
    let (top_k, n_best) = (args.top_k, args.decoding.n_best);
    ensure!(top_k <= n_best, "--top-k {top_k}: only --n-best {n_best} answers are kept; raise --n-best");
    if args.passage.is_stdin() {
        args.model.check_not_stdin(
            "standard input holds the passage; give that with --context or --context-file FILE",
        )?;
    }
    let kernels = runtime::kernels(args.runtime.isa.as_deref())?;
    let threads = runtime::threads_or_cores(args.runtime.threads);
    let passage = Passage::read(&args.passage)?;

    let start = Instant::now();
    let source = ModelSource::open(args.model.model.as_deref())?;
    let name = source.to_string();
    let model = source.share()?;
    let decoding = runtime::Decoding::new(&args.decoding, model.model().config())?;
    let builder = Reader::builder(model).mode(Mode::Latency).threads(threads).kernels(kernels);
    let reader = builder.max_seq_len(decoding.max_seq_len).build().map_err(runtime::remedy)?;
    let loaded = start.elapsed();

    let start = Instant::now();
    let passage_text: Arc<str> = passage.text.into();
    let options = Options { top_k, max_seq_len: None, decoding: Decoding::RunQa(decoding.options) };
    let job = Job::new(args.question.as_str(), Arc::clone(&passage_text)).with(options);
    let reply = reader.answer(job).map_err(|error| {
        let about_the_passage =
            matches!(error, Error::Engine(engine::Error::EmptyPassage | engine::Error::TextTooLong));
        let error = answering::remedy(error);
        if about_the_passage { error.context(passage.origin.to_string()) } else { error }
    })?;
    let answered = start.elapsed();
    let null_threshold = decoding.options.null_threshold;
    answering::check_numbers(&reply, null_threshold).with_context(|| name.clone())?;

    let answerable = json::answerable(reader.model(), reply.null_diff);
    output::print(&if args.json {
        json::line(&json::Object::new(None, &args.question, &reply, reader.model()))?
    } else {
        // The file's recommendation only tells people how to take an answer; programs have `answerable`.
        let asked_otherwise = args.always_answer || args.decoding.null_threshold.is_some();
        let shown = Reply {
            passage: &passage_text,
            answers: &reply.answers,
            null_diff: reply.null_diff,
            null_threshold,
            recommended: reader.model().null_threshold().filter(|_| !asked_otherwise),
            answerable,
        };
        text::reply(&shown, text::Marks::for_stdout())
    })?;
    if args.verbose {
        output::note(&format!(
            "{name}: loaded in {:.1} ms, answered in {:.1} ms; windows {}, isa {}, threads {}, null_diff {:.3}{}",
            1e3 * loaded.as_secs_f64(),
            1e3 * answered.as_secs_f64(),
            reply.windows,
            reader.isa(),
            reader.threads_per_session(),
            reply.null_diff,
            answerable.map_or_else(String::new, |probability| format!(", answerable {probability:.4}")),
        ));
    }
    Ok(())
}
