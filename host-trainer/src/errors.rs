//! How an error reads.

/// An error and its causes in one line, without the backtraces that candle's errors carry when `RUST_BACKTRACE` is
/// set.
pub fn one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain() {
        let text = cause.to_string();
        let words =
            text.lines().filter(|line| !is_frame(line)).map(str::trim).filter(|line| !line.is_empty());
        let words = words.collect::<Vec<_>>().join(" ");
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&words.replace('\r', " "));
    }
    line
}

/// Whether a line is of a backtrace: `  12: function`, or `      at file:line`.
fn is_frame(line: &str) -> bool {
    let text = line.trim_start();
    let number = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let is_function = number > 0 && text[number..].starts_with(": ");
    text.len() < line.len() && (is_function || text.starts_with("at "))
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};

    use super::one_line;

    #[test]
    fn a_backtrace_is_not_part_of_the_line() {
        let candle = "cannot retrieve\n   0: candle_core::error::Error::bt\n             at /src/error.rs:264:25\n  \
                      10: std::rt::lang_start";
        let error = anyhow!("{candle}").context("a.bin: qa_outputs.bias\nof 2");
        assert_eq!(one_line(&error), "a.bin: qa_outputs.bias of 2: cannot retrieve");
    }

    #[test]
    fn what_only_looks_like_a_frame_stays() {
        let error = anyhow::Result::<()>::Err(anyhow!("12: not a number\nat the end")).context("line");
        assert_eq!(one_line(&error.expect_err("an error")), "line: 12: not a number at the end");
    }
}
