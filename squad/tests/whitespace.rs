//! White space against a table that Python 3 made.

use std::collections::BTreeSet;

use blockspan_squad::metrics::normalize_answer;
use blockspan_squad::python;

fn table() -> BTreeSet<char> {
    include_str!("cases/python_whitespace.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| char::from_u32(u32::from_str_radix(line, 16).expect("a number")).expect("a character"))
        .collect()
}

#[test]
fn white_space_is_what_python_calls_so() {
    let table = table();
    assert_eq!(table.len(), 29);
    for c in '\0'..=char::MAX {
        assert_eq!(python::is_space(c), table.contains(&c), "{c:?}");
    }
}

#[test]
fn words_are_those_of_pythons_split() {
    let spaces: Vec<char> = table().into_iter().collect();
    let mut state = 1u64;
    let mut below = |n: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    for _ in 0..2000 {
        // Words with one space or more of any kind between and around them.
        let words: Vec<String> =
            (0..below(5)).map(|_| ["cat", "É", "31", "\u{200b}", "\u{feff}x"][below(5)].to_owned()).collect();
        let mut text = String::new();
        for word in &words {
            (0..=below(3)).for_each(|_| text.push(spaces[below(spaces.len())]));
            text.push_str(word);
        }
        (0..below(3)).for_each(|_| text.push(spaces[below(spaces.len())]));
        assert!(python::split(&text).eq(words.iter().map(String::as_str)), "{text:?}");
        assert_eq!(normalize_answer(&text), words.join(" ").to_lowercase(), "{text:?}");
    }
}
