//! `blockspan batch`: many questions from files, answered in order.

mod input;
mod item;
mod record;
mod resume;
mod tally;
mod window;

use core::time::Duration;
use std::io::{self, Write};

use anyhow::{Context, Result, bail, ensure};
use blockspan_reader::{BuildError, Decoding, Options, RankOptions, Reader, cores};

use crate::cli::Batch;
use crate::compare::Comparison;
use crate::model_source::ModelSource;
use crate::output::{self, PartialFile};
use crate::passage::is_stdin;
use crate::progress::Progress;
use crate::runtime;
use crate::search::{Corpus, PASSAGES};
use input::{Input, Next};
use item::Item;
use record::Record;
use tally::Tally;
use window::{Searched, Window};

/// How long a reply is waited for before the input is looked at again.
const PAUSE: Duration = Duration::from_millis(20);

/// Exit status: what was asked for is not what was expected.
pub const DIFFERENT: u8 = 1;
/// Exit status: some questions have an error in place of an answer.
pub const SOME_ERRORS: u8 = 3;

/// Answers, writes, compares; returns the exit status.
pub fn run(args: &Batch) -> Result<u8> {
    let (top_k, n_best) = (args.top_k, args.decoding.n_best);
    for (name, value) in [("--top-k", top_k), ("--per-document", args.per_document)] {
        ensure!(value <= n_best, "{name} {value}: only --n-best {n_best} answers are kept; raise --n-best");
    }
    if args.files.iter().any(|path| is_stdin(path)) {
        args.model.check_not_stdin("standard input holds the questions; name a file for one of them")?;
    }
    let kernels = runtime::kernels(args.isa.as_deref())?;
    let source = ModelSource::open(args.model.model.as_deref())?;
    let model = source.share()?;
    let decoding = runtime::Decoding::new(&args.decoding, model.model().config())?;
    let corpus = args.index.as_deref().map(Corpus::open).transpose()?;
    ensure!(
        corpus.is_some() || args.passages.is_none(),
        "--passages: is for --index; give that too, or leave it out"
    );
    let passages = args.passages.unwrap_or(PASSAGES);
    let searched = corpus.as_ref().map(|corpus| Searched { corpus, passages });
    let input = Input::open(&args.files, args.format, searched.is_some())?;
    let mut expected = args.expect.as_deref().map(Comparison::open).transpose()?;

    let sessions = args.sessions.unwrap_or_else(cores);
    let builder = Reader::builder(model).threads(sessions).max_seq_len(decoding.max_seq_len);
    let reader = builder.kernels(kernels).build().map_err(|error| match error {
        BuildError::Threads { error, .. } => {
            anyhow::anyhow!("cannot start {sessions} threads: {error}; give a smaller --sessions")
        }
        error => runtime::remedy(error),
    })?;
    let (null_threshold, max_seq_len) = (decoding.options.null_threshold, None);
    let options = Options { top_k, max_seq_len, decoding: Decoding::RunQa(decoding.options) };
    let rank = RankOptions { top_k, per_document: args.per_document, max_seq_len, answer: decoding.options };
    let run = Run { reader: &reader, options, rank, searched, null_threshold };

    let mut out = Out::open(args)?;
    let mut tally = Tally::default();
    let mut start = 0;
    if let Out::File(file) = &mut out
        && args.resume
        && let Some((item, line)) = resume::pass_over(file, &input, &mut expected, &mut tally)?
    {
        start = item.place.position;
        let (id, now) = (item.id.clone(), run.answer(item)?);
        resume::check(&id, &line, &now, file)?;
        output::note(&format!("{}: goes on after {} lines", file.partial().display(), tally.lines));
    }
    let mut progress = Progress::of_bytes(input.bytes, start);
    let before = tally.lines;
    run.answer_all(&input, |item, record| {
        tally.count(record.is_error);
        if let Some(expected) = &mut expected {
            expected.compare(&record.line)?;
        }
        progress.step_to(item.place.position);
        out.write(&record.line)
    })?;
    let (per_second, answered) = (progress.per_second(), tally.lines - before);
    drop(progress);
    out.finish()?;

    let report = expected.map(Comparison::finish).transpose()?;
    let name = args.expect.as_deref().map(|path| path.display().to_string()).unwrap_or_default();
    if let Some(report) = &report {
        for line in report.lines(&name) {
            if args.out.as_deref().is_some_and(is_stdin) {
                output::note(&line);
            } else {
                output::print(&(output::printable(&line) + "\n"))?;
            }
        }
    }
    output::note(&format!(
        "{answered} questions, {per_second:.1} questions/s; errors {}; isa {}, sessions {}",
        tally.errors,
        reader.isa(),
        reader.sessions()
    ));
    Ok(match report {
        Some(report) if !report.is_equal() => DIFFERENT,
        _ if tally.errors > 0 => SOME_ERRORS,
        _ => 0,
    })
}

/// How questions are answered.
struct Run<'r> {
    reader: &'r Reader,
    options: Options,
    rank: RankOptions,
    searched: Option<Searched<'r>>,
    null_threshold: f32,
}

impl Run<'_> {
    /// Answers one item; returns its line.
    fn answer(&self, item: Item) -> Result<String> {
        let mut window = Window::new(self.reader, self.options, self.rank, self.searched)?;
        window.add(item);
        let (item, outcome) = window.next(None).context("an item without an outcome")?;
        Ok(Record::new(&item, outcome, self.reader.model(), self.null_threshold)?.line)
    }

    /// Answers all items; `sink` gets them in order, and says whether anybody wants more.
    fn answer_all(&self, input: &Input, mut sink: impl FnMut(&Item, Record) -> Result<bool>) -> Result<()> {
        let mut window = Window::new(self.reader, self.options, self.rank, self.searched)?;
        let mut ended = false;
        loop {
            let mut waits = false;
            while !ended && window.has_room() && !waits {
                // With nothing else to do, the input can be waited for.
                let next = if window.is_empty() {
                    input.next()?.map_or(Next::End, Next::Item)
                } else {
                    input.try_next()?
                };
                match next {
                    Next::Item(item) => window.add(item),
                    Next::NotYet => waits = true,
                    Next::End => ended = true,
                }
            }
            if window.is_empty() {
                return Ok(());
            }
            // A reply is written when it is there, even if the next question takes an hour to come.
            if let Some((item, outcome)) = window.next(waits.then_some(PAUSE)) {
                let record = Record::new(&item, outcome, self.reader.model(), self.null_threshold)?;
                if !sink(&item, record)? {
                    return Ok(());
                }
            }
        }
    }
}

/// Where the answers go.
enum Out {
    Stdout,
    File(PartialFile),
    /// They are only compared.
    Nowhere,
}

impl Out {
    fn open(args: &Batch) -> Result<Self> {
        match args.out.as_deref() {
            Some(path) if !is_stdin(path) => {
                let target = path.canonicalize().ok();
                if target.is_some() && args.files.iter().any(|input| input.canonicalize().ok() == target) {
                    bail!("{}: is the input, too; name another file with --out", path.display());
                }
                Ok(Self::File(PartialFile::open(path, args.resume)?))
            }
            _ if args.resume => bail!("--resume: needs the file to go on with; give --out FILE"),
            None if args.expect.is_some() => Ok(Self::Nowhere),
            _ => Ok(Self::Stdout),
        }
    }

    /// Adds a line; returns whether anybody reads it.
    fn write(&mut self, line: &str) -> Result<bool> {
        match self {
            Self::Stdout => {
                let mut stdout = io::stdout().lock();
                output::delivered(stdout.write_all(line.as_bytes()).and_then(|()| stdout.flush()))
            }
            Self::File(file) => file.write(line).map(|()| true),
            Self::Nowhere => Ok(true),
        }
    }

    fn finish(self) -> Result<()> {
        match self {
            Self::File(file) => file.finish(),
            Self::Stdout | Self::Nowhere => Ok(()),
        }
    }
}
