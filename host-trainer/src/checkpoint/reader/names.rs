//! The names that checkpoints give their tensors.

/// Parts of a name that wrappers of PyTorch add, wherever they stand: data parallelism, compilation, sharding,
/// activation checkpoints, Accelerate and DeepSpeed.
const WRAPPERS: [&str; 5] =
    ["module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module"];

/// What a trainer's own class calls the network, where it comes first.
const OUTER: &str = "model";

/// A name in a checkpoint, understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// What transformers' `BertForQuestionAnswering` calls the parameter.
    pub(super) canonical: String,
    /// The wrappers' parts that were left out, each with its dot.
    pub(super) wrapped: String,
}

/// Understands a name.
pub(super) fn understand(stored: &str) -> Name {
    let (mut name, mut wrapped) = (String::new(), String::new());
    for part in stored.split('.') {
        let outer = part == OUTER && name.is_empty();
        if outer || WRAPPERS.contains(&part) {
            wrapped.push_str(part);
            wrapped.push('.');
        } else {
            if !name.is_empty() {
                name.push('.');
            }
            name.push_str(part);
        }
    }
    for (old, new) in [(".gamma", ".weight"), (".beta", ".bias")] {
        if let Some(stem) = name.strip_suffix(old) {
            name = format!("{stem}{new}");
        }
    }
    if name.starts_with("embeddings.") || name.starts_with("encoder.") {
        name = format!("bert.{name}");
    }
    Name { canonical: name, wrapped }
}

/// Whether a parameter is of the encoder; what is not is a head, a pooler or another network's.
pub(super) fn is_encoder(canonical: &str) -> bool {
    canonical.starts_with("bert.embeddings.") || canonical.starts_with("bert.encoder.")
}

#[cfg(test)]
mod tests {
    use super::understand;

    #[test]
    fn names_of_other_writers_are_understood() {
        for (stored, name, wrapped) in [
            ("encoder.layer.0.output.LayerNorm.gamma", "bert.encoder.layer.0.output.LayerNorm.weight", ""),
            ("bert.embeddings.LayerNorm.beta", "bert.embeddings.LayerNorm.bias", ""),
            ("embeddings.word_embeddings.weight", "bert.embeddings.word_embeddings.weight", ""),
            ("qa_outputs.bias", "qa_outputs.bias", ""),
            ("cls.predictions.bias", "cls.predictions.bias", ""),
        ] {
            let found = understand(stored);
            assert_eq!((found.canonical.as_str(), found.wrapped.as_str()), (name, wrapped), "{stored}");
        }
    }

    #[test]
    fn prefixes_of_wrappers_were_not_understood() {
        for (stored, name, wrapped) in [
            ("module.qa_outputs.bias", "qa_outputs.bias", "module."),
            (
                "_orig_mod.module.bert.embeddings.LayerNorm.gamma",
                "bert.embeddings.LayerNorm.weight",
                "_orig_mod.module.",
            ),
            ("model.embeddings.LayerNorm.bias", "bert.embeddings.LayerNorm.bias", "model."),
            ("model._orig_mod.model.qa_outputs.weight", "qa_outputs.weight", "model._orig_mod.model."),
            (
                "bert.encoder.layer.0._checkpoint_wrapped_module.output.dense.bias",
                "bert.encoder.layer.0.output.dense.bias",
                "_checkpoint_wrapped_module.",
            ),
        ] {
            let found = understand(stored);
            assert_eq!((found.canonical.as_str(), found.wrapped.as_str()), (name, wrapped), "{stored}");
        }
        // Another network's.
        assert_eq!(
            understand("teacher.bert.embeddings.LayerNorm.bias").canonical,
            "teacher.bert.embeddings.LayerNorm.bias"
        );
        assert_eq!(understand("bert.model.bias").canonical, "bert.model.bias");
    }
}
