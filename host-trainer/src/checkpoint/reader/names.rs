//! The names that checkpoints give their tensors.

/// The name that transformers' `BertForQuestionAnswering` gives the parameter.
pub(super) fn canonical(name: &str) -> String {
    let name = match name.strip_suffix(".gamma") {
        Some(stem) => format!("{stem}.weight"),
        None => match name.strip_suffix(".beta") {
            Some(stem) => format!("{stem}.bias"),
            None => name.to_owned(),
        },
    };
    if name.starts_with("embeddings.") || name.starts_with("encoder.") {
        format!("bert.{name}")
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use super::canonical;

    #[test]
    fn names_of_other_writers_are_understood() {
        for (stored, name) in [
            ("encoder.layer.0.output.LayerNorm.gamma", "bert.encoder.layer.0.output.LayerNorm.weight"),
            ("bert.embeddings.LayerNorm.beta", "bert.embeddings.LayerNorm.bias"),
            ("embeddings.word_embeddings.weight", "bert.embeddings.word_embeddings.weight"),
            ("qa_outputs.bias", "qa_outputs.bias"),
            ("cls.predictions.bias", "cls.predictions.bias"),
        ] {
            assert_eq!(canonical(stored), name);
        }
    }
}
