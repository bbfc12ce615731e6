//! From texts to terms: words in lower case, without accents on Latin letters, by their stems.

use rust_stemmers::{Algorithm, Stemmer};

/// Bytes of a term, at most; what is longer is no word that anybody asks for.
const MAX_TERM: usize = 64;

/// Takes texts apart.
pub(crate) struct Analyzer {
    stemmer: Stemmer,
}

impl Analyzer {
    pub fn new() -> Self {
        Self { stemmer: Stemmer::create(Algorithm::English) }
    }

    /// The term of a word, which is in lower case.
    pub fn term(&self, word: &str) -> String {
        self.stemmer.stem(word).into_owned()
    }
}

/// Gives each word of the text to `found`, in lower case: letters and digits up to the next other character. In scripts that
/// put no spaces between words each character is one. The `s` behind an apostrophe is none.
pub(crate) fn words(text: &str, mut found: impl FnMut(&str)) {
    let mut word = String::new();
    let mut give = |word: &mut String, apostrophe: bool| {
        let possessive = apostrophe && word == "s";
        if !word.is_empty() && !possessive {
            found(word);
        }
        word.clear();
    };
    // Whether the word at hand follows an apostrophe.
    let mut behind = false;
    for c in text.chars() {
        if is_a_word_of_its_own(c) {
            give(&mut word, behind);
            word.push(c);
            give(&mut word, false);
        } else if c.is_alphanumeric() {
            if word.len() + 4 * 3 <= MAX_TERM {
                push(c, &mut word);
            }
            continue;
        } else if is_combining(c) && !word.is_empty() {
            continue;
        } else {
            give(&mut word, behind);
        }
        behind = matches!(c, '\'' | '\u{2019}');
    }
    give(&mut word, behind);
}

/// Adds a character in lower case.
fn push(c: char, word: &mut String) {
    if c.is_ascii() {
        word.push(c.to_ascii_lowercase());
    } else {
        c.to_lowercase().filter(|&c| !is_combining(c)).for_each(|c| match plain(c) {
            Some(letters) => word.push_str(letters),
            None => word.push(c),
        });
    }
}

/// Accents that are characters of their own.
fn is_combining(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}')
}

/// Characters of scripts without spaces between words: Thai, Lao, Myanmar, Khmer, kana, Chinese characters.
fn is_a_word_of_its_own(c: char) -> bool {
    matches!(c,
        '\u{0e01}'..='\u{0edf}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3041}'..='\u{30ff}'
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3fffd}')
        && c.is_alphanumeric()
}

/// A small Latin letter without its accent, from Latin-1 Supplement and Latin Extended-A (Unicode's decompositions, and
/// letters for those that have none).
fn plain(c: char) -> Option<&'static str> {
    Some(match c {
        'à'..='å' | 'ā' | 'ă' | 'ą' => "a",
        'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => "c",
        'ď' | 'đ' => "d",
        'è'..='ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => "e",
        'ĝ' | 'ğ' | 'ġ' | 'ģ' => "g",
        'ĥ' | 'ħ' => "h",
        'ì'..='ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' | 'ı' => "i",
        'ĵ' => "j",
        'ķ' => "k",
        'ĺ' | 'ļ' | 'ľ' | 'ŀ' | 'ł' => "l",
        'ñ' | 'ń' | 'ņ' | 'ň' => "n",
        'ò'..='ö' | 'ø' | 'ō' | 'ŏ' | 'ő' => "o",
        'ŕ' | 'ŗ' | 'ř' => "r",
        'ś' | 'ŝ' | 'ş' | 'š' => "s",
        'ţ' | 'ť' | 'ŧ' => "t",
        'ù'..='ü' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' => "u",
        'ŵ' => "w",
        'ý' | 'ÿ' | 'ŷ' => "y",
        'ź' | 'ż' | 'ž' => "z",
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{Analyzer, words};

    fn found(text: &str) -> Vec<String> {
        let mut all = Vec::new();
        words(text, |word| all.push(word.to_owned()));
        all
    }

    #[test]
    fn words_are_letters_and_digits_in_lower_case() {
        for (text, expected) in [
            ("The Mast, 31 metres (high)!", ["the", "mast", "31", "metres", "high"].as_slice()),
            ("don't Tesla's O\u{2019}Neill's", &["don", "t", "tesla", "o", "neill"]),
            ("s's 's", &["s"]),
            ("Café Größe naïve ŁÓDŹ", &["cafe", "grosse", "naive", "lodz"]),
            ("cafe\u{301} e\u{301}tat", &["cafe", "etat"]),
            ("東京タワー is 333 m", &["東", "京", "タ", "ワ", "ー", "is", "333", "m"]),
            ("ΟΔΟΣ Привет", &["οδοσ", "привет"]),
            ("İstanbul", &["istanbul"]),
            (" \u{301}-- ", &[]),
        ] {
            assert_eq!(found(text), expected, "{text}");
        }
    }

    #[test]
    fn a_word_without_an_end_is_cut() {
        let long = found(&"ab".repeat(1000));
        assert_eq!(long.len(), 1);
        assert!((50..=64).contains(&long[0].len()), "{}", long[0].len());
    }

    #[test]
    fn forms_of_a_word_share_a_term() {
        let analyzer = Analyzer::new();
        for forms in [["signed", "signing"], ["lighthouse", "lighthouses"], ["built", "built"]] {
            assert_eq!(analyzer.term(forms[0]), analyzer.term(forms[1]));
        }
        assert_ne!(analyzer.term("mast"), analyzer.term("most"));
    }
}
