//! The command line.

use std::path::PathBuf;

use blockspan_engine::MAX_THREADS;
use blockspan_engine::span::MAX_N_BEST;
use clap::{Args, Parser, Subcommand, ValueEnum};

mod examples;
#[cfg(feature = "serve")]
mod serve;
mod values;

#[cfg(feature = "serve")]
pub use serve::{LimitArgs, LogArgs, LogFormat, Serve, ServeMode};
use values::{number, up_to};

/// Answers questions from a passage, from one packed file.
#[derive(Parser)]
#[command(name = "blockspan", version, after_help = examples::COMMAND)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Answer a question from a passage (--context, --context-file, or standard input), from many files, or from a folder
    /// (--folder, --index).
    Ask(Ask),
    /// Answer the questions of files: JSON Lines, SQuAD, CSV, TSV or Parquet in, JSON Lines out.
    Batch(Batch),
    /// Read a folder into one file that ask, batch and serve find answers in (--index).
    Index(Index),
    /// Answer over HTTP.
    #[cfg(feature = "serve")]
    Serve(Serve),
    /// Print EM and F1 of a packed model over a SQuAD file.
    Eval(Eval),
    /// Show what a packed model holds: shape, metadata, sections, density, sizes.
    Inspect(Inspect),
    /// Time forward passes in steady state, batch 1; and a start, with the memory that it takes.
    Bench(Bench),
    /// Ask the default model built-in questions with every instruction set and several numbers of threads, and compare
    /// the answers with recorded ones, bit for bit.
    Selftest(Selftest),
    /// Print the tokens of each line of standard input: ids, word pieces, byte offsets.
    Tokenize(Tokenize),
    /// Print a script that completes blockspan's command line in a shell.
    Completions(Completions),
    /// Print the manual page, or write those of all commands into a directory.
    Man(Manual),
}

#[derive(Args)]
#[command(after_help = examples::COMPLETIONS)]
pub struct Completions {
    /// The shell.
    #[arg(value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

#[derive(Args)]
#[command(after_help = examples::MAN)]
pub struct Manual {
    /// Write blockspan.1 and a page for each command here [default: print blockspan.1].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

#[derive(Args)]
#[command(after_help = examples::ASK)]
pub struct Ask {
    /// The question; it may begin with a hyphen.
    #[arg(allow_hyphen_values = true)]
    pub question: String,
    #[command(flatten)]
    pub passage: PassageArgs,
    #[command(flatten)]
    pub model: ModelArgs,
    /// Print one JSON object on one line.
    #[arg(long)]
    pub json: bool,
    /// How many answers to print, best first.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = up_to::<MAX_N_BEST>)]
    pub top_k: usize,
    /// How many of them may come from the same file, where there are several.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = up_to::<MAX_N_BEST>)]
    pub per_document: usize,
    /// How many passages to read, the best that the search finds, with --index and --folder [default: 20].
    #[arg(long, value_name = "N", value_parser = up_to::<1000>)]
    pub passages: Option<usize>,
    /// Show the answer in its passage in color: auto is on a terminal, unless the variable NO_COLOR is set.
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
    /// Never say that the passage holds no answer, even where the model's file recommends a threshold for that.
    #[arg(long, conflicts_with = "null_threshold")]
    pub always_answer: bool,
    /// Tell on stderr what was used and how long it took.
    #[arg(short, long)]
    pub verbose: bool,
    #[command(flatten)]
    pub decoding: DecodingArgs,
    #[command(flatten)]
    pub runtime: RuntimeArgs,
}

#[derive(Args)]
#[command(after_help = examples::INDEX)]
pub struct Index {
    /// The folder; its text, Markdown, HTML and, if built in, PDF are read, and those of the folders in it.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Write the index here. One that is there already is brought up to date: files that have not changed are not read
    /// again.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

#[derive(Args)]
#[command(after_help = examples::BATCH)]
pub struct Batch {
    /// Questions with their passages; - is standard input.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// What the files hold [default: by the file's name, .json, .csv, .tsv or .parquet; else JSON Lines].
    #[arg(long, value_name = "NAME")]
    pub format: Option<Format>,
    /// Write the answers here; the file is FILE.partial until it is complete [default: standard output].
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Go on after the last complete line of --out, if a run was stopped.
    #[arg(long)]
    pub resume: bool,
    /// Compare the answers in every bit with those that were recorded here; without --out nothing else is printed.
    #[arg(long, value_name = "FILE")]
    pub expect: Option<PathBuf>,
    /// Find the answers in this index, written by `blockspan index`; passages of the input are passed over.
    #[arg(long, value_name = "FILE")]
    pub index: Option<PathBuf>,
    /// How many passages to read for each question, the best that the search finds, with --index [default: 20].
    #[arg(long, value_name = "N", value_parser = up_to::<1000>)]
    pub passages: Option<usize>,
    #[command(flatten)]
    pub model: ModelArgs,
    /// How many answers to give, best first.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = up_to::<MAX_N_BEST>)]
    pub top_k: usize,
    /// How many of them may come from the same document, where a question has several.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = up_to::<MAX_N_BEST>)]
    pub per_document: usize,
    /// Give answers whatever null_diff is, which is so without --null-threshold, too.
    #[arg(long, conflicts_with = "null_threshold")]
    pub always_answer: bool,
    #[command(flatten)]
    pub decoding: DecodingArgs,
    /// How many questions are answered at the same time [default: one for each core].
    #[arg(long, value_name = "N", value_parser = up_to::<1024>, help_heading = "Machine")]
    pub sessions: Option<usize>,
    /// Instruction set, as for ask [default: the variable BLOCKSPAN_ISA, else the fastest that this machine has].
    #[arg(long, value_name = "NAME", help_heading = "Machine")]
    pub isa: Option<String>,
}

#[derive(Args)]
#[command(after_help = examples::EVAL)]
pub struct Eval {
    /// Data to measure on: SQuAD v1.1 or v2.0, or records of Hugging Face datasets, JSON or JSON Lines.
    #[arg(value_name = "FILE")]
    pub data: PathBuf,
    #[command(flatten)]
    pub model: ModelArgs,
    /// Write the predicted texts here, by question id.
    #[arg(long, value_name = "FILE")]
    pub predictions: Option<PathBuf>,
    /// Write predictions.json, nbest_predictions.json and null_odds.json here, as run_qa.py does.
    #[arg(long, value_name = "DIR")]
    pub output_dir: Option<PathBuf>,
    /// Print the scores as one JSON object on one line.
    #[arg(long)]
    pub json: bool,
    /// Ask each question once more on another paragraph of its article that does not answer it, and print how well
    /// null_diff tells the two apart: AUROC, and F1 over both kinds.
    #[arg(long)]
    pub unanswerable_twin: bool,
    /// Decides which paragraphs --unanswerable-twin takes.
    #[arg(long, value_name = "N", default_value_t = 0, requires = "unanswerable_twin")]
    pub seed: u64,
    #[command(flatten)]
    pub decoding: DecodingArgs,
    #[command(flatten)]
    pub runtime: RuntimeArgs,
}

#[derive(Args)]
#[command(after_help = examples::INSPECT)]
pub struct Inspect {
    /// Packed model (*.bspan); - is standard input [default: the one in this program].
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Print one JSON object on one line.
    #[arg(long)]
    pub json: bool,
    /// Windows that the workspace is to hold, question included [default: the model's own length].
    #[arg(long, value_name = "TOKENS")]
    pub max_seq_len: Option<usize>,
    /// Threads that the workspace is to serve.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = up_to::<MAX_THREADS>)]
    pub threads: usize,
}

#[derive(Args)]
#[command(after_help = examples::BENCH)]
pub struct Bench {
    /// Packed model (*.bspan) [default: the one in this program].
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,
    /// Lengths of the input, in tokens [default: 48,128,384, as far as the model reads so many].
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = up_to::<{ usize::MAX }>)]
    pub tokens: Vec<usize>,
    /// Numbers of threads [default: all cores].
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = up_to::<MAX_THREADS>)]
    pub threads: Vec<usize>,
    /// How many passes are timed for each length and number of threads.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = up_to::<100_000>)]
    pub repeat: usize,
    /// Time also how many passes a second so many sessions of one thread make at the same time, beside one [default:
    /// not timed].
    #[arg(long, value_name = "N", value_parser = up_to::<1024>)]
    pub sessions: Option<usize>,
    /// Instruction set [default: the variable BLOCKSPAN_ISA, else the fastest that this machine has].
    #[arg(long, value_name = "NAME")]
    pub isa: Option<String>,
    /// Print one JSON object on one line.
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
#[command(after_help = examples::SELFTEST)]
pub struct Selftest {
    /// Only this instruction set [default: all that this machine has].
    #[arg(long, value_name = "NAME")]
    pub isa: Option<String>,
}

#[derive(Args)]
#[command(after_help = examples::TOKENIZE)]
pub struct Tokenize {
    /// Packed model (*.bspan) [default: the one in this program].
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,
}

/// Where the passage comes from: standard input unless one of these is given.
#[derive(Args)]
#[group(multiple = false)]
pub struct PassageArgs {
    /// The passage itself; it may begin with a hyphen.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub context: Option<String>,
    /// A file that holds the passage, in UTF-8; of HTML and, if built in, PDF, the text. - is standard input. Given several
    /// times, or for a directory with such files, the best answers of all files [default: standard input].
    #[arg(long, value_name = "FILE")]
    pub context_file: Vec<PathBuf>,
    /// An index that `blockspan index` has written: its passages are searched, and the best ones read.
    #[arg(long, value_name = "FILE")]
    pub index: Option<PathBuf>,
    /// A folder that is searched as with --index, but is read anew each time.
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
}

#[derive(Args)]
pub struct ModelArgs {
    /// Packed model (*.bspan); - is standard input [default: the one in this program].
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,
}

/// How passages are cut and spans chosen.
#[derive(Args)]
#[command(next_help_heading = "Decoding")]
pub struct DecodingArgs {
    /// Starts and ends examined per window, and spans that share the score.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = up_to::<MAX_N_BEST>)]
    pub n_best: usize,
    /// The longest answer, in tokens.
    #[arg(long, value_name = "TOKENS", default_value_t = 30, value_parser = up_to::<{ usize::MAX }>)]
    pub max_answer_len: usize,
    /// Tokens that neighboring windows of a long passage share [default: the model's own number, but at most a third
    /// of --max-seq-len].
    #[arg(long, value_name = "TOKENS")]
    pub doc_stride: Option<usize>,
    /// The longest window, question included [default: the model's own length].
    #[arg(long, value_name = "TOKENS")]
    pub max_seq_len: Option<usize>,
    /// Cut a longer question to its first tokens [default: a question that leaves no room for the passage is
    /// refused].
    #[arg(long, value_name = "TOKENS", value_parser = up_to::<{ usize::MAX }>)]
    pub max_query_length: Option<usize>,
    /// Give no answer where null_diff is above this; for models that were trained with unanswerable questions [default:
    /// ask says so in its text, beside its best guess, where null_diff is above the threshold that the model's file
    /// recommends, if it does; eval takes that one, else 0, for a file with unanswerable questions, and else none].
    #[arg(long, value_name = "DIFF", value_parser = number, allow_negative_numbers = true)]
    pub null_threshold: Option<f32>,
}

/// What computes.
#[derive(Args)]
#[command(next_help_heading = "Machine")]
pub struct RuntimeArgs {
    /// Threads; the result is the same for every number [default: all cores].
    #[arg(long, value_name = "N", value_parser = up_to::<MAX_THREADS>)]
    pub threads: Option<usize>,
    /// Instruction set: scalar, sse41, avx2, avxvnni, avx512vnni, neon, dotprod, i8mm or simd128; the result is the
    /// same for each [default: the variable BLOCKSPAN_ISA, else the fastest that this machine has].
    #[arg(long, value_name = "NAME")]
    pub isa: Option<String>,
}

/// When text is in color.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal
    Auto,
    /// Also in a file or a pipe
    Always,
    /// With brackets in place of it
    Never,
}

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// JSON Lines: an object on each line
    Jsonl,
    /// SQuAD, or records of Hugging Face datasets, read as a whole
    Squad,
    /// Columns separated by commas, named in the first row
    Csv,
    /// Columns separated by tabs, named in the first row
    Tsv,
    /// Parquet; only in a command that was built with the feature parquet
    Parquet,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }
}
