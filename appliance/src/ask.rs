//! `blockspan ask`.

use std::time::Instant;

use anyhow::{Result, anyhow, ensure};
use blockspan_engine::{Answer, Error, Session};

use crate::cli::Ask;
use crate::model_source::ModelSource;
use crate::output::{self, Reply, json, text};
use crate::passage::{Origin, Passage};
use crate::runtime::{Decoding, Machine};

/// Reads the passage, answers, prints.
pub fn run(args: &Ask) -> Result<()> {
    let (top_k, n_best) = (args.top_k, args.decoding.n_best);
    ensure!(top_k <= n_best, "--top-k {top_k}: only --n-best {n_best} answers are kept; raise --n-best");
    if args.passage.is_stdin() {
        args.model.check_not_stdin(
            "standard input holds the passage; give that with --context or --context-file FILE",
        )?;
    }
    let machine = Machine::new(&args.runtime)?;
    let passage = Passage::read(&args.passage)?;

    let start = Instant::now();
    let source = ModelSource::open(args.model.model.as_deref())?;
    let model = source.parse()?;
    let decoding = Decoding::new(&args.decoding, model.config())?;
    let mut workspace = machine.workspace(&model, decoding.max_seq_len)?;
    let mut session = Session::with(&model, decoding.max_seq_len, &mut workspace, machine.runtime())?;
    let loaded = start.elapsed();

    let start = Instant::now();
    let mut answers = vec![Answer::default(); top_k];
    let outcome = session
        .answer(&args.question, &passage.text, &decoding.options, &mut answers)
        .map_err(|error| place(error, &passage.origin))?;
    let answered = start.elapsed();
    answers.truncate(outcome.answers);
    // Any passage has a span whose score is a number, unless the logits are none.
    let withheld = outcome.null_diff > decoding.options.null_threshold;
    ensure!(
        outcome.null_diff.is_finite() && (withheld || outcome.answers > 0),
        "{source}: the numbers of the model overflow; pack it again from a checkpoint that `blockspan-trainer \
         evaluate` answers with"
    );

    // The file's recommendation only tells people how to take an answer; programs have `answerable`.
    let asked_otherwise = args.always_answer || args.decoding.null_threshold.is_some();
    let answerable = model.answerable().map(|fitted| fitted.probability(outcome.null_diff));
    let reply = Reply {
        question: &args.question,
        passage: &passage.text,
        answers: &answers,
        null_diff: outcome.null_diff,
        null_threshold: decoding.options.null_threshold,
        recommended: model.null_threshold().filter(|_| !asked_otherwise),
        answerable,
    };
    output::print(&if args.json {
        json::reply(&reply)?
    } else {
        text::reply(&reply, text::Marks::for_stdout())
    })?;
    if args.verbose {
        output::note(&format!(
            "{source}: loaded in {:.1} ms, answered in {:.1} ms; windows {}, isa {}, threads {}, null_diff {:.3}{}",
            1e3 * loaded.as_secs_f64(),
            1e3 * answered.as_secs_f64(),
            outcome.windows,
            machine.isa(),
            machine.threads(),
            outcome.null_diff,
            answerable.map_or_else(String::new, |probability| format!(", answerable {probability:.4}")),
        ));
    }
    Ok(())
}

/// The error, with the passage's name where it is about the passage, and with the options that help.
fn place(error: Error, origin: &Origin) -> anyhow::Error {
    match error {
        Error::EmptyPassage | Error::TextTooLong => anyhow!("{origin}: {error}"),
        // Windows that overlap by all of their length leave no room for any question.
        Error::QuestionTooLong { tokens, most: 0 } => anyhow!(
            "the question has {tokens} tokens, but none leave room for a passage; give a larger --max-seq-len or a \
             smaller --doc-stride"
        ),
        Error::QuestionTooLong { tokens, most } => anyhow!(
            "the question has {tokens} tokens, but only {most} leave room for a passage; shorten it, or give \
             --max-query-length {most}, a larger --max-seq-len or a smaller --doc-stride"
        ),
        error => error.into(),
    }
}
