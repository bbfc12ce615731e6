//! What a packed file says of its model: the lines of its metadata section.

use crate::output::printable;

/// The keys that `blockspan-trainer pack` writes, in the order in which they are shown; `engine/FORMAT.md` says what
/// they mean. Others follow as they stand in the file.
const KEYS: [&str; 14] = [
    "base",
    "training_data",
    "sparsity",
    "pattern",
    "exact_match",
    "f1",
    "evaluated_on",
    "null_threshold",
    "answerable_slope",
    "answerable_intercept",
    "license",
    "attribution",
    "source",
    "created_by",
];

/// The column of keys is at most so wide.
const MAX_WIDTH: usize = 32;

/// Key and value of each line of the metadata section, as they stand there.
pub fn entries(metadata: &str) -> Vec<(String, String)> {
    let entry = |line: &str| {
        let (key, value) = line.split_once(':').unwrap_or((line, ""));
        (key.trim().to_owned(), value.trim().to_owned())
    };
    metadata.lines().filter(|line| !line.trim().is_empty()).map(entry).collect()
}

/// The card for people: a line for each entry, keys and values in columns.
pub fn lines(entries: &[(String, String)]) -> Vec<String> {
    let rank = |key: &str| KEYS.iter().position(|&known| known == key).unwrap_or(KEYS.len());
    let mut sorted: Vec<_> = entries.iter().map(|(key, value)| (printable(key), printable(value))).collect();
    // Stable: unknown keys keep the file's order.
    sorted.sort_by_key(|(key, _)| rank(key));
    // A longer key stands out of line; a width has 16 bits.
    let width = sorted.iter().map(|(key, _)| key.chars().count()).max().unwrap_or_default().min(MAX_WIDTH);
    sorted.iter().map(|(key, value)| format!("{key:<width$}  {value}").trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::{entries, lines};

    #[test]
    fn known_keys_come_first_and_unknown_ones_are_not_lost() {
        let metadata =
            "packed_by: blockspan-trainer 0.1.0\nf1: 62.39\nowner: me: and you\nbase: MiniLM\n\nbare\n";
        assert_eq!(
            lines(&entries(metadata)),
            [
                "base       MiniLM",
                "f1         62.39",
                "packed_by  blockspan-trainer 0.1.0",
                "owner      me: and you",
                "bare"
            ]
        );
        assert!(lines(&entries("")).is_empty());
    }

    #[test]
    fn a_key_longer_than_a_width_can_be_panicked() {
        let key = "k".repeat(1 << 16);
        assert_eq!(
            lines(&entries(&format!("{key}: v\nf1: 1"))),
            [format!("{:<32}  1", "f1"), format!("{key}  v")]
        );
    }

    #[test]
    fn a_hostile_card_does_not_reach_the_terminal() {
        let shown = lines(&entries("base: \x1b]0;owned\x07\nlic\u{202e}ense: MIT\u{2066}\r\n")).join("\n");
        assert!(shown.contains("<U+001B>]0;owned<U+0007>") && shown.contains("lic<U+202E>ense"), "{shown}");
        assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "{shown:?}");
    }
}
