//! `blockspan eval`: EM and F1 with the semantics of `run_qa.py`, as `blockspan-trainer evaluate` has them.

use std::path::Path;

use anyhow::{Context, Result};
use blockspan_engine::{AnswerOptions, Error};
use blockspan_reader::{Answer, Decoding, Job, Options, Reader, Reply};
use blockspan_squad::{Dataset, NullLogits, Paragraph, Prediction, Question, Report, Span, outputs, twins};

use crate::cli::Eval;
use crate::model_source::ModelSource;
use crate::output::{self, NewFile};
use crate::passage::is_stdin;
use crate::progress::Progress;
use crate::runtime;

/// Answers every question, scores, prints.
pub fn run(args: &Eval) -> Result<()> {
    if is_stdin(&args.data) {
        args.model.check_not_stdin("standard input holds the questions; name a file for one of them")?;
    }
    let kernels = runtime::kernels(args.runtime.isa.as_deref())?;
    // The messages hold their causes already.
    let plain = |error: blockspan_squad::Error| anyhow::Error::msg(error.to_string());
    let dataset = Dataset::read(&args.data).map_err(plain)?;
    if args.unanswerable_twin {
        dataset.check_labeled().map_err(plain)?;
    }
    let predictions_file = args.predictions.as_deref().map(NewFile::prepare).transpose()?;
    let directory = args.output_dir.as_deref().map(prepare_directory).transpose()?;

    let source = ModelSource::open(args.model.model.as_deref())?;
    let model = source.share()?;
    let recommended = model.model().null_threshold().map(f64::from);
    let decoding = runtime::Decoding::new(&args.decoding, model.model().config())?;
    let threads = runtime::threads_or_cores(args.runtime.threads);
    let reader = Reader::builder(model).threads(threads).max_seq_len(decoding.max_seq_len).kernels(kernels);
    let reader = reader.build().map_err(runtime::remedy)?;
    dataset.notes().iter().for_each(|note| output::note(&format!("note: {note}")));
    let mut asked = Asked::new(&dataset, args, recommended);
    asked.answer_all(&reader, &decoding.options).with_context(|| args.data.display().to_string())?;

    let report = asked.report();
    let nothing_else = args.predictions.is_none() && args.output_dir.is_none() && !args.json;
    let on_stdout =
        predictions_file.as_ref().is_some_and(NewFile::is_stdout) || report.scores.is_none() && nothing_else;
    let texts = outputs::texts(&asked.predictions)?;
    match predictions_file {
        Some(file) => file.write(&texts)?,
        None if on_stdout => output::print(&texts)?,
        None => {}
    }
    if let Some(directory) = directory {
        for (name, contents) in outputs::files(&asked.predictions)? {
            NewFile::prepare(&directory.join(name))?.write(&contents)?;
        }
    }
    if let Some(first) = &asked.first_unaskable {
        output::note(&format!(
            "note: questions without an answer: {}; the first is {first}",
            asked.unaskable
        ));
    }
    let shown = if args.json { report.json() } else { report.text() };
    if on_stdout {
        // The predictions stand there alone.
        shown.lines().for_each(output::note);
    } else {
        output::print(&shown)?;
    }
    output::note(&format!(
        "{:.1} questions/s; isa {}, threads {}",
        asked.per_second,
        kernels.isa(),
        reader.sessions()
    ));
    Ok(())
}

/// Makes the directory, and finds out whether files can be written in it, before the work is done.
fn prepare_directory(directory: &Path) -> Result<&Path> {
    std::fs::create_dir_all(directory)
        .with_context(|| format!("{}: cannot make the directory", directory.display()))?;
    NewFile::prepare(&directory.join("predictions.json"))?;
    Ok(directory)
}

/// The questions, and what came of them.
struct Asked<'a> {
    dataset: &'a Dataset,
    /// The same questions and their twins behind them, where twins were asked for.
    both: Option<Dataset>,
    /// Where the null answer wins, if it is possible.
    null_threshold: Option<f64>,
    /// Where F1 is taken over both kinds.
    twin_threshold: f64,
    /// Of the data set's own questions.
    predictions: Vec<Prediction>,
    /// Of all of `both`.
    both_predictions: Vec<Prediction>,
    /// For the data set's own questions.
    windows: usize,
    per_second: f64,
    /// Questions that cannot be asked as they stand in the file.
    unaskable: usize,
    /// The first of them: its id and the reason.
    first_unaskable: Option<String>,
}

impl<'a> Asked<'a> {
    /// `recommended` is the null threshold of the model's file.
    fn new(dataset: &'a Dataset, args: &Eval, recommended: Option<f64>) -> Self {
        let given = args.decoding.null_threshold.map(f64::from);
        let threshold = given.or(recommended).unwrap_or(0.0);
        Self {
            dataset,
            both: args.unanswerable_twin.then(|| twins(dataset, args.seed)),
            // As with run_qa.py's --version_2_with_negative, only such a file makes the empty answer possible unasked.
            null_threshold: given.or(dataset.has_unanswerable().then_some(threshold)),
            twin_threshold: threshold,
            predictions: Vec::new(),
            both_predictions: Vec::new(),
            windows: 0,
            per_second: 0.0,
            unaskable: 0,
            first_unaskable: None,
        }
    }

    fn answer_all(&mut self, reader: &Reader, options: &AnswerOptions) -> Result<()> {
        // Every span is wanted, be the null answer above it or not.
        let rules = AnswerOptions { null_threshold: f32::INFINITY, ..*options };
        let options = Options { top_k: rules.n_best, max_seq_len: None, decoding: Decoding::RunQa(rules) };
        let both = self.both.take();
        let own = self.dataset.questions().count();
        let questions: Vec<_> = both.as_ref().unwrap_or(self.dataset).questions().collect();
        let (own_threshold, twin_threshold) = (self.null_threshold, self.twin_threshold);
        let mut progress = Progress::new(questions.len());
        let jobs = questions.iter().map(|(paragraph, question)| {
            Job::new(question.question.as_str(), paragraph.context.as_str()).with(options)
        });
        let replies = reader.answer_many(jobs).enumerate();
        for ((index, reply), &(paragraph, question)) in replies.zip(&questions) {
            let found = Found::new(reply, paragraph, question, rules.n_best)?;
            if index < own {
                let prediction = found.predict(own_threshold);
                if let Some(error) = found.unaskable {
                    self.unaskable += 1;
                    self.first_unaskable.get_or_insert_with(|| format!("{}: {error}", prediction.id));
                }
                self.windows += found.windows;
                self.predictions.push(prediction);
            }
            if both.is_some() {
                self.both_predictions.push(found.predict(Some(twin_threshold)));
            }
            progress.step();
        }
        self.per_second = progress.per_second();
        self.both = both;
        Ok(())
    }

    fn report(&self) -> Report {
        let threshold = self.twin_threshold;
        let report = Report::new(self.dataset, &self.predictions, self.windows, threshold);
        match &self.both {
            Some(both) => report.with_twins(both, &self.both_predictions, threshold),
            None => report,
        }
    }
}

/// What the reader finds for a question.
struct Found<'q> {
    id: &'q str,
    spans: Vec<Span<'q>>,
    n_best: usize,
    null: NullLogits,
    windows: usize,
    /// Why the question cannot be asked as it stands in the file.
    unaskable: Option<Error>,
}

impl<'q> Found<'q> {
    fn new(
        reply: Result<Reply, blockspan_reader::Error>,
        paragraph: &'q Paragraph,
        question: &'q Question,
        n_best: usize,
    ) -> Result<Self> {
        let null = NullLogits { start: 0.0, end: 0.0 };
        let id = question.id.as_str();
        let mut found = Self { id, spans: Vec::new(), n_best, null, windows: 0, unaskable: None };
        match reply {
            Ok(reply) => {
                let span = |answer: &Answer| Span {
                    start_logit: answer.start_logit,
                    end_logit: answer.end_logit,
                    text: paragraph.context.get(answer.start..answer.end).unwrap_or_default(),
                };
                let [start, end] = reply.null_logits;
                found.null = NullLogits { start, end };
                found.spans.extend(reply.answers.iter().map(span));
                found.windows = reply.windows;
            }
            Err(blockspan_reader::Error::Engine(
                error @ (Error::EmptyQuestion
                | Error::EmptyPassage
                | Error::QuestionTooLong { .. }
                | Error::TextTooLong),
            )) => found.unaskable = Some(error),
            Err(error) => return Err(error).with_context(|| format!("question {id}")),
        }
        Ok(found)
    }

    /// The answer where the null answer is possible above this threshold, if there is one.
    fn predict(&self, null_threshold: Option<f64>) -> Prediction {
        if self.unaskable.is_some() {
            return Prediction::none(self.id);
        }
        Prediction::new(
            self.id,
            &self.spans,
            self.n_best,
            null_threshold.map(|threshold| (self.null, threshold)),
        )
    }
}
