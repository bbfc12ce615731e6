//! Text from elsewhere, made safe to show on a terminal.

use core::fmt::Write;

/// `text` with every character that could steer the terminal, reorder what is shown or hide in it written as `<U+202E>`
/// is; a tab as a space. For passages, names of files, metadata and error messages alike: each may come from a
/// stranger.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => out.push(' '),
            c if deceives(c) => {
                // A String takes everything.
                let _ = write!(out, "<U+{:04X}>", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// As [`printable`], for text of several lines.
pub fn printable_lines(text: &str) -> String {
    text.split('\n').map(printable).collect::<Vec<_>>().join("\n")
}

/// Spells out, as `\\uXXXX`, what [`printable`] spells out, in finished JSON, whose strings mean the same afterwards. Line
/// ends, which JSON has between its tokens only, stay.
pub fn printable_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && deceives(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// Control characters, separators of lines and paragraphs, and the format characters (general category Cf) that have no
/// look of their own. Not among them: the joiners U+200C and U+200D and the soft hyphen, which ordinary text needs.
fn deceives(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            // Arabic letter mark, Mongolian vowel separator, zero-width space, marks for left to right and back
            '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
                // line and paragraph separator; embeddings and overrides
                | '\u{2028}'..='\u{202e}'
                // word joiner, invisible operators, isolates, deprecated controls
                | '\u{2060}'..='\u{206f}'
                // byte-order mark; interlinear annotation
                | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
                // shorthand and music formatting; tags
                | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::{printable, printable_json, printable_lines};

    #[test]
    fn what_reorders_or_hides_text_is_spelt_out() {
        for c in ('\u{202a}'..='\u{202e}').chain('\u{2066}'..='\u{2069}').chain([
            '\u{200e}',
            '\u{200f}',
            '\u{61c}',
            '\0',
            '\x07',
            '\x1b',
            '\r',
            '\n',
            '\x7f',
            '\u{80}',
            '\u{9b}',
            '\u{2028}',
            '\u{feff}',
            '\u{e0041}',
        ]) {
            assert_eq!(printable(&format!("a{c}b")), format!("a<U+{:04X}>b", u32::from(c)));
        }
    }

    #[test]
    fn strings_of_json_mean_the_same() {
        let texts = ["a\u{9b}31m", "\u{202e}b", "\u{e0041}", "c\u{1b}", "\u{2028}", "plain \\ \""];
        let json = serde_json::json!({ "texts": texts });
        let printed = printable_json(&json.to_string());
        assert!(printed.is_ascii() && !printed.contains(char::is_control), "{printed}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&printed).unwrap(), json);
    }

    #[test]
    fn ordinary_text_stays() {
        // Emoji with joiners and variation selectors, Persian with a non-joiner, Hebrew, a soft hyphen.
        for text in
            ["Zoë’s Café, 4 000 €", "👩\u{200d}🔬 ☎\u{fe0f}", "می\u{200c}خواهم", "שלום", "Donau\u{ad}dampf"]
        {
            assert_eq!(printable(text), text);
        }
        assert_eq!(printable("a\tb"), "a b");
        assert_eq!(printable_json("{\"a\": \"Zoë’s שלום\"}\n"), "{\"a\": \"Zoë’s שלום\"}\n");
        assert_eq!(printable_lines("a\u{202e}\nb\n"), "a<U+202E>\nb\n");
    }
}
