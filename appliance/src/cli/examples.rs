//! What the help of each command ends with. The tests run every line.

pub const COMMAND: &str = r#"Example:
  blockspan ask --context "The mast is 31 metres high." "How high is the mast?""#;

pub const ASK: &str = r#"Examples:
  blockspan ask --context "The mast is 31 metres high." "How high is the mast?"
  blockspan ask --context-file report.txt --top-k 3 --json "Who signed the contract?"
  cat report.txt | blockspan ask "Who signed the contract?"
  blockspan ask --context-file notes --top-k 3 "Who signed the contract?"
  blockspan ask --folder notes "Who signed the contract?"
  blockspan ask --index notes.bsx --top-k 3 "Who signed the contract?""#;

pub const INDEX: &str = r#"Examples:
  blockspan index notes --out notes.bsx
  blockspan ask --index notes.bsx "Who signed the contract?""#;

pub const BATCH: &str = "Examples:
  blockspan batch questions.jsonl --out answers.jsonl
  blockspan batch questions.jsonl --expect answers.jsonl
  blockspan batch questions.jsonl --index notes.bsx
  cat questions.jsonl | blockspan batch - --top-k 3";

#[cfg(feature = "serve")]
pub const SERVE: &str = r#"Examples:
  blockspan serve --model model.bspan
  curl -H "Content-Type: application/json" http://127.0.0.1:8080/v1/answer -d '{"question": "How high is the mast?", "context": "The mast is 31 metres high."}'
  blockspan serve --index notes.bsx
  curl -H "Content-Type: application/json" http://127.0.0.1:8080/v1/search-answer -d '{"question": "Who signed the contract?"}'

Every option may also be given by its environment variable, for example BLOCKSPAN_LISTEN=127.0.0.1:9000."#;

pub const EVAL: &str = "Example:
  blockspan eval --model model.bspan dev.json --predictions predictions.json";

pub const INSPECT: &str = "Example:
  blockspan inspect model.bspan --max-seq-len 128 --threads 2";

pub const BENCH: &str = "Examples:
  blockspan bench --model model.bspan --tokens 48,128 --threads 1,2 --repeat 5
  blockspan bench --tokens 128 --repeat 5 --sessions 2";

pub const SELFTEST: &str = "Example:
  blockspan selftest";

pub const TOKENIZE: &str = r#"Example:
  echo "How high is the mast?" | blockspan tokenize"#;

pub const COMPLETIONS: &str = "Example:
  blockspan completions bash > blockspan.bash";

pub const MAN: &str = "Examples:
  blockspan man --out man1
  blockspan man > blockspan.1";
