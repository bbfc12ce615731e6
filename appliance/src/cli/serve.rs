//! The options of `blockspan serve`. Each is an environment variable too.

use std::path::PathBuf;

use blockspan_engine::MAX_THREADS;
use clap::{Args, ValueEnum};

use super::examples;
use super::values::up_to;

/// The longest time that an option takes: a day.
const MAX_SECONDS: usize = 86_400;

#[derive(Args, Clone)]
#[command(after_help = examples::SERVE)]
pub struct Serve {
    /// Packed model (*.bspan); - is standard input [default: the one in this program].
    #[arg(long, value_name = "FILE", env = "BLOCKSPAN_MODEL")]
    pub model: Option<PathBuf>,
    /// An index that `blockspan index` has written, for `POST /v1/search-answer` [default: none].
    #[arg(long, value_name = "FILE", env = "BLOCKSPAN_INDEX")]
    pub index: Option<PathBuf>,
    /// Load the model's file, and the index, again when one of them changes (SIGHUP does so at any time). A broken one is
    /// refused, and the old ones go on.
    #[arg(long, env = "BLOCKSPAN_WATCH")]
    pub watch: bool,
    /// Where to listen; several with commas between them. Port 0 takes a free one. Sockets from systemd are taken instead.
    #[arg(
        long,
        value_name = "HOST:PORT",
        env = "BLOCKSPAN_LISTEN",
        default_value = "127.0.0.1:8080",
        value_delimiter = ','
    )]
    pub listen: Vec<String>,
    #[command(flatten)]
    pub access: AccessArgs,
    #[command(flatten)]
    pub machine: MachineArgs,
    #[command(flatten)]
    pub limits: LimitArgs,
    #[command(flatten)]
    pub timeouts: TimeoutArgs,
    #[command(flatten)]
    pub log: LogArgs,
}

/// Who may ask.
#[derive(Args, Clone)]
#[command(next_help_heading = "Access")]
pub struct AccessArgs {
    /// Answer only requests with `Authorization: Bearer KEY`, where KEY is a line of this file; needed to listen on an
    /// address that other machines reach [default: none].
    #[arg(long, value_name = "FILE", env = "BLOCKSPAN_API_KEY_FILE", conflicts_with = "no_auth")]
    pub api_key_file: Option<PathBuf>,
    /// Listen anywhere without a key: something in front of this server checks who asks.
    #[arg(long, env = "BLOCKSPAN_NO_AUTH")]
    pub no_auth: bool,
}

/// What computes.
#[derive(Args, Clone)]
#[command(next_help_heading = "Machine")]
pub struct MachineArgs {
    /// What the threads do: each a question of its own, or all together one window.
    #[arg(long, value_name = "MODE", env = "BLOCKSPAN_MODE", default_value = "throughput")]
    pub mode: ServeMode,
    /// Threads that compute [default: as many as the cores that the affinity and the control group allow].
    #[arg(long, value_name = "N", env = "BLOCKSPAN_THREADS", value_parser = up_to::<1024>)]
    pub threads: Option<usize>,
    /// Instruction set, as of `ask` [default: the variable BLOCKSPAN_ISA, else the fastest that this machine has].
    #[arg(long, value_name = "NAME")]
    pub isa: Option<String>,
    /// The longest window, question included [default: the model's own length].
    #[arg(long, value_name = "TOKENS", env = "BLOCKSPAN_MAX_SEQ_LEN")]
    pub max_seq_len: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ServeMode {
    /// The most questions per second: a session on each thread.
    Throughput,
    /// The shortest time for one question while few ask: one session on all threads, at most 32.
    Latency,
}

impl ServeMode {
    pub fn name(self) -> &'static str {
        match self {
            Self::Throughput => "throughput",
            Self::Latency => "latency",
        }
    }

    /// The most threads that it takes.
    pub fn max_threads(self) -> usize {
        match self {
            Self::Throughput => usize::MAX,
            Self::Latency => MAX_THREADS,
        }
    }
}

/// What is too much.
#[derive(Args, Clone)]
#[command(next_help_heading = "Limits")]
pub struct LimitArgs {
    /// Questions that may wait for a thread; more are refused with status 429.
    #[arg(long, value_name = "N", env = "BLOCKSPAN_QUEUE", default_value_t = 512, value_parser = up_to::<1_000_000>)]
    pub queue: usize,
    /// The longest request body; a longer one is refused with status 413.
    #[arg(long, value_name = "BYTES", env = "BLOCKSPAN_MAX_BODY_BYTES", default_value_t = 4 << 20, value_parser = up_to::<{ u32::MAX as usize }>)]
    pub max_body_bytes: usize,
    /// The most questions in a request; more are refused with status 413.
    #[arg(long, value_name = "N", env = "BLOCKSPAN_MAX_QUESTIONS", default_value_t = 64, value_parser = up_to::<1_000_000>)]
    pub max_questions: usize,
    /// The most documents in a request; more are refused with status 413.
    #[arg(long, value_name = "N", env = "BLOCKSPAN_MAX_DOCUMENTS", default_value_t = 256, value_parser = up_to::<1_000_000>)]
    pub max_documents: usize,
    /// The most open connections; further ones get status 429 and are closed.
    #[arg(long, value_name = "N", env = "BLOCKSPAN_MAX_CONNECTIONS", default_value_t = 4096, value_parser = up_to::<1_000_000>)]
    pub max_connections: usize,
}

/// What takes too long.
#[derive(Args, Clone)]
#[command(next_help_heading = "Time limits")]
pub struct TimeoutArgs {
    /// How long a client may take to send the head of a request.
    #[arg(long, value_name = "SECONDS", env = "BLOCKSPAN_HEADER_TIMEOUT", default_value_t = 10, value_parser = up_to::<MAX_SECONDS>)]
    pub header_timeout: usize,
    /// How long a client may take to send the body.
    #[arg(long, value_name = "SECONDS", env = "BLOCKSPAN_BODY_TIMEOUT", default_value_t = 30, value_parser = up_to::<MAX_SECONDS>)]
    pub body_timeout: usize,
    /// How long a connection may wait between requests, and how long a client may take to accept more of a response.
    #[arg(long, value_name = "SECONDS", env = "BLOCKSPAN_IDLE_TIMEOUT", default_value_t = 60, value_parser = up_to::<MAX_SECONDS>)]
    pub idle_timeout: usize,
    /// After SIGTERM: how long to wait for the answers to questions that were taken.
    #[arg(long, value_name = "SECONDS", env = "BLOCKSPAN_GRACE_PERIOD", default_value_t = 30, value_parser = up_to::<MAX_SECONDS>)]
    pub grace_period: usize,
}

/// What is logged on stderr.
#[derive(Args, Clone)]
#[command(next_help_heading = "Logs")]
pub struct LogArgs {
    /// Lines for people, or a JSON object a line.
    #[arg(long, value_name = "FORMAT", env = "BLOCKSPAN_LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,
    /// The least important lines that are logged: error, warn, info (with a line for each request), debug, or off.
    #[arg(long, value_name = "LEVEL", env = "BLOCKSPAN_LOG_LEVEL", default_value = "info")]
    pub log_level: tracing::level_filters::LevelFilter,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// A JSON object a line.
    Json,
}
