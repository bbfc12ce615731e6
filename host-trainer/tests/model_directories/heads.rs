//! Names of tensors: prefixes of wrappers, heads that are missing, names that are there twice.

use std::collections::BTreeMap;

use safetensors::Dtype;
use safetensors::tensor::TensorView;

use super::{EVALUATE, FINETUNE, INSPECT, PACK, Workplace, common};

/// Writes the weights of `base` under the names that `rename` gives, several or none for each.
fn write(place: &Workplace, rename: impl Fn(&str) -> Vec<String>) {
    let parameters = common::random_parameters(&place.config, 1);
    let mut data: BTreeMap<String, (Vec<usize>, Vec<u8>)> = BTreeMap::new();
    for (name, shape) in place.config.parameters() {
        let bytes: Vec<u8> = parameters[&name].iter().flat_map(|v| v.to_le_bytes()).collect();
        for renamed in rename(&name) {
            data.insert(renamed, (shape.clone(), bytes.clone()));
        }
    }
    let views = data.iter().map(|(name, (shape, bytes))| {
        (name, TensorView::new(Dtype::F32, shape.clone(), bytes).expect("a view"))
    });
    place.write("model.safetensors", safetensors::serialize(views, None).expect("weights"));
}

#[test]
fn prefixes_of_wrappers_hid_every_tensor() {
    let plain = Workplace::new();
    assert_eq!(plain.succeeds(PACK).1, "");
    let place = Workplace::new();
    for prefix in ["module.", "_orig_mod.", "model.", "_orig_mod.module.", "model.module."] {
        write(&place, |name| vec![format!("{prefix}{name}")]);
        let (_, notes) = place.succeeds(PACK);
        assert_eq!(notes.lines().count(), 1, "{notes}");
        let note = format!("note: base/model.safetensors: 39 tensors are read without the prefix {prefix}\n");
        assert_eq!(notes, note);
        assert!(place.packed() == plain.packed(), "{prefix}");
    }
    // A base that was saved from inside a wrapper lacks `bert.` too.
    write(&place, |name| vec![format!("model.{}", name.trim_start_matches("bert."))]);
    place.succeeds(PACK);
    assert!(place.packed() == plain.packed());
}

#[test]
fn a_head_under_another_prefix_was_thrown_away_in_silence() {
    let plain = Workplace::new();
    plain.succeeds(PACK);
    let place = Workplace::new();
    let only_head = |prefix: &'static str| {
        move |name: &str| {
            vec![if name.starts_with("qa_outputs") { format!("{prefix}{name}") } else { name.to_owned() }]
        }
    };
    write(&place, only_head("module."));
    let (_, notes) = place.succeeds(PACK);
    assert!(notes.contains("2 tensors are read without the prefix module."), "{notes}");
    assert!(place.packed() == plain.packed());
    std::fs::remove_file(place.root.path().join("out.bspan")).expect("removed");

    write(&place, only_head("squad."));
    for line in [PACK, EVALUATE, &format!("{FINETUNE} --teacher base")] {
        place.refused(
            line,
            &[
                "base/model.safetensors: the checkpoint has no qa_outputs.weight",
                "it holds squad.qa_outputs.bias, squad.qa_outputs.weight",
                "fine-tune it first",
            ],
        );
    }
    let (_, notes) = place.succeeds(FINETUNE);
    let note = "note: base/model.safetensors: the checkpoint has no qa_outputs.weight (it holds \
                squad.qa_outputs.bias, squad.qa_outputs.weight); a fresh head is drawn by --seed";
    assert!(notes.lines().any(|line| line == note), "{notes}");
}

#[test]
fn a_base_without_a_head_got_a_fresh_one_in_silence() {
    let place = Workplace::new();
    write(&place, |name| if name.starts_with("bert.") { vec![name.to_owned()] } else { Vec::new() });
    place.refused(
        PACK,
        &["base/model.safetensors: the checkpoint has no qa_outputs.weight", "an encoder alone"],
    );
    let (_, notes) = place.succeeds(FINETUNE);
    assert!(notes.contains("an encoder alone); a fresh head is drawn by --seed"), "{notes}");
}

#[test]
fn a_tensor_that_is_there_twice_was_read_from_either() {
    let place = Workplace::new();
    write(&place, |name| vec![name.to_owned(), format!("module.{name}")]);
    for line in [INSPECT, PACK] {
        let parts = [
            "base/model.safetensors: bert.encoder.layer.0",
            "there twice",
            ", as bert.encoder",
            "and as module.bert",
        ];
        place.refused(line, &parts);
    }
}

#[test]
fn another_network_in_the_file_is_named() {
    let place = Workplace::new();
    write(&place, |name| vec![format!("student.{name}")]);
    place.refused(
        INSPECT,
        &[
            "base/model.safetensors: bert.encoder.layer.0",
            "is missing (it holds student.bert.embeddings",
            "more tensors",
        ],
    );
}
