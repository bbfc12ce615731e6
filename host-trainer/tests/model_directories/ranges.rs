//! Numbers that the network, the formats or the engine have no room for: each error names the file and the place.

use blockspan_trainer::checkpoint;
use serde_json::json;

use super::{EVALUATE, FINETUNE, INSPECT, PACK, Workplace, common};

#[test]
fn decoders_were_packed_as_encoders() {
    for field in ["is_decoder", "add_cross_attention"] {
        let place = Workplace::new();
        place.set("config.json", &json!({field: true}));
        for line in [FINETUNE, EVALUATE, PACK, INSPECT] {
            place.refused(line, &[&format!("base/config.json: {field} is true"), "give an encoder"]);
        }
        place.set("config.json", &json!({field: false}));
        place.succeeds(PACK);
    }
}

#[test]
fn gelu_python_is_the_erf_form() {
    let plain = Workplace::new();
    plain.succeeds(PACK);
    let place = Workplace::new();
    place.set("config.json", &json!({"hidden_act": "gelu_python"}));
    place.succeeds(PACK);
    assert!(place.packed() == plain.packed());
    for tanh in ["gelu_new", "gelu_fast", "gelu_pytorch_tanh"] {
        let place = Workplace::new();
        place.set("config.json", &json!({"hidden_act": tanh}));
        place.refused(PACK, &["base/config.json", tanh, "erf form"]);
    }
}

#[test]
fn fields_of_another_kind_are_named_without_types_of_the_program() {
    for (field, value, must_be) in [
        ("hidden_size", json!(-16), "a whole number from 0"),
        ("hidden_size", json!("16"), "a whole number from 0"),
        ("vocab_size", json!(1.5), "a whole number from 0"),
        ("layer_norm_eps", json!("small"), "a number"),
        ("hidden_act", json!(["gelu"]), "a text"),
        ("is_decoder", json!("no"), "true or false"),
    ] {
        let place = Workplace::new();
        place.set("config.json", &json!({field: value}));
        place.refused(INSPECT, &[&format!("base/config.json: {field} is {value}; it must be {must_be}")]);
    }
    let place = Workplace::new();
    place.set("config.json", &json!({"hidden_act": null, "type_vocab_size": null, "layer_norm_eps": null}));
    place.succeeds(INSPECT);
}

#[test]
fn numbers_without_room_were_refused_without_the_file() {
    let place = Workplace::new();
    place.set("config.json", &json!({"max_position_embeddings": 5000}));
    place.refused(PACK, &["base/config.json: max_position_embeddings is 5000", "4096"]);
    let place = Workplace::new();
    place.set("config.json", &json!({"layer_norm_eps": 1e-60}));
    place.refused(PACK, &["base/config.json: layer_norm_eps is 1e-60"]);

    let large = |name: &str, value: f32| {
        let place = Workplace::new();
        let mut parameters = common::random_parameters(&place.config, 1);
        parameters.get_mut(name).expect("a parameter")[3] = value;
        checkpoint::save(&place.base(""), &place.base(""), &place.config, &parameters).expect("saved");
        place
    };
    for part in ["position", "token_type", "word"] {
        let name = format!("bert.embeddings.{part}_embeddings.weight");
        let place = large(&name, -70_000.0);
        let line = format!("{PACK} --embeddings f16");
        place.refused(&line, &[&format!("base/model.safetensors: {name}: it holds -70000"), "f16", "65504"]);
    }
    for value in [f32::NAN, f32::INFINITY] {
        let name = "bert.encoder.layer.1.attention.self.key.weight";
        let place = large(name, value);
        for line in [FINETUNE, EVALUATE, PACK, INSPECT] {
            place.refused(
                line,
                &[&format!("base/model.safetensors: {name}: it holds a value that is not finite")],
            );
        }
    }
}
