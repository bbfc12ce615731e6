//! Words that say nothing of what a question is about.

/// Function words and the words that make a sentence a question, in lower case, as [`crate::analysis`] takes texts apart.
const STOP_WORDS: &str = "\
    a an and are as at be but by did do does for from had has have how if in into is it its no not of on or such that the \
    their them then there these they this to was were what when where which who whom whose why will with would can could \
    should you";

/// Whether it is one of them.
pub(crate) fn is_stop_word(word: &str) -> bool {
    STOP_WORDS.split(' ').any(|other| other == word)
}
