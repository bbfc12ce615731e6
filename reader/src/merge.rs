//! The same answer from several places.

use crate::rank::RankedAnswer;

/// Groups the answers that say the same: each group in the order of the answers, the groups in that of their first, as
/// numbers of `answers`. Texts say the same if their words do, whatever their case, punctuation and articles.
pub fn merge(answers: &[RankedAnswer]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut known: Vec<String> = Vec::new();
    for (number, ranked) in answers.iter().enumerate() {
        let said = words(&ranked.answer.text);
        match known.iter().position(|known| *known == said).and_then(|at| groups.get_mut(at)) {
            Some(group) => group.push(number),
            None => {
                known.push(said);
                groups.push(vec![number]);
            }
        }
    }
    groups
}

/// What a text says; of one without words, the text.
fn words(text: &str) -> String {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric());
    let said: Vec<&str> = words.filter(|word| !matches!(*word, "" | "a" | "an" | "the")).collect();
    if said.is_empty() { text.trim().to_owned() } else { said.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::merge;
    use crate::rank::RankedAnswer;
    use crate::reply::Answer;

    #[test]
    fn answers_that_say_the_same_are_one_group() {
        let texts =
            ["The Mast", "31 metres", "mast.", "%", "a 31\nMetres", "%", "€", "the", "31 metres high"];
        let answers = texts.map(|text| RankedAnswer {
            document: 0,
            margin: 0.0,
            prior: 0.0,
            answer: Answer { text: text.to_owned(), ..Answer::default() },
        });
        assert_eq!(merge(&answers), [vec![0, 2], vec![1, 4], vec![3, 5], vec![6], vec![7], vec![8]]);
        assert!(merge(&[]).is_empty());
    }
}
