//! `pytorch_model.bin`.

use blockspan_trainer::checkpoint;

use super::archive::{Storage, Tensor, write};
use super::{EVALUATE, INSPECT, PACK, Workplace, common};

/// The tensors of `base`, each alone in a storage of its own.
fn plain(place: &Workplace) -> (Vec<Storage>, Vec<Tensor>) {
    let parameters = common::random_parameters(&place.config, 2);
    let mut storages = Vec::new();
    let mut tensors = Vec::new();
    for (name, shape) in place.config.parameters() {
        let strides = if shape.len() == 2 { vec![shape[1], 1] } else { vec![1] };
        tensors.push(Tensor { storage: storages.len(), offset: 0, shape, strides, name: name.clone() });
        storages.push(Storage::f32(&parameters[&name]));
    }
    (storages, tensors)
}

fn write_bin(place: &Workplace, storages: &[Storage], tensors: &[Tensor]) {
    let _ = std::fs::remove_file(place.base("model.safetensors"));
    write(&place.base("pytorch_model.bin"), storages, tensors);
}

#[test]
fn column_slices_expanded_tensors_and_f64_were_taken_for_a_broken_download() -> anyhow::Result<()> {
    let place = Workplace::new();
    let mut parameters = common::random_parameters(&place.config, 2);
    let (mut storages, mut tensors) = plain(&place);
    let find =
        |tensors: &[Tensor], name: &str| tensors.iter().position(|t| t.name == name).expect("a tensor");
    // Query, key and value side by side in the columns of one storage, as a fused projection leaves them.
    let parts =
        ["query", "key", "value"].map(|part| format!("bert.encoder.layer.0.attention.self.{part}.weight"));
    let fused: Vec<f32> = (0..16)
        .flat_map(|row| {
            parts.iter().flat_map(|p| parameters[p][16 * row..16 * row + 16].to_vec()).collect::<Vec<_>>()
        })
        .collect();
    for (at, part) in parts.iter().enumerate() {
        let tensor = find(&tensors, part);
        tensors[tensor].storage = storages.len();
        tensors[tensor].offset = 16 * at;
        tensors[tensor].strides = vec![48, 1];
    }
    storages.push(Storage::f32(&fused));
    // One number that stands for a whole bias, and one row for all rows of the token types.
    let bias = "bert.encoder.layer.1.output.dense.bias";
    parameters.get_mut(bias).expect("a bias").fill(0.125);
    let at = find(&tensors, bias);
    (tensors[at].storage, tensors[at].strides) = (storages.len(), vec![0]);
    storages.push(Storage::f32(&[0.125]));
    let types = "bert.embeddings.token_type_embeddings.weight";
    let row = parameters[types][..16].to_vec();
    parameters.insert(types.to_owned(), row.repeat(2));
    let at = find(&tensors, types);
    tensors[at].strides = vec![0, 1];
    // Transposed, in f64.
    let matrix = "bert.encoder.layer.1.intermediate.dense.weight";
    let transposed: Vec<f32> = (0..16)
        .flat_map(|column| (0..32).map(move |row| (row, column)))
        .map(|(r, c)| parameters[matrix][16 * r + c])
        .collect();
    let at = find(&tensors, matrix);
    tensors[at].strides = vec![1, 32];
    storages[tensors[at].storage] = Storage::f64(&transposed);
    write_bin(&place, &storages, &tensors);

    let (loaded, fresh_head) = checkpoint::load(&place.base(""), &place.config, 0)?;
    assert!(!fresh_head);
    for (name, values) in &parameters {
        assert_eq!(&loaded[name], values, "{name}");
    }
    place.succeeds(PACK);
    Ok(())
}

#[test]
fn a_tensor_that_reaches_beyond_its_storage_is_refused() {
    let place = Workplace::new();
    let (storages, mut tensors) = plain(&place);
    tensors[0].offset = 1;
    write_bin(&place, &storages, &tensors);
    for line in [EVALUATE, PACK] {
        place.refused(
            line,
            &["base/pytorch_model.bin: bert.embeddings.word_embeddings.weight", "beyond its storage"],
        );
    }
    tensors[0].offset = 0;
    tensors[0].strides = vec![usize::MAX >> 33, 1];
    write_bin(&place, &storages, &tensors);
    place.refused(PACK, &["beyond its storage"]);
}

#[test]
fn number_formats_that_are_not_read_are_named_without_a_backtrace() {
    let place = Workplace::new();
    let (mut storages, tensors) = plain(&place);
    storages[0].class = "IntStorage";
    write_bin(&place, &storages, &tensors);
    place.refused(
        PACK,
        &["base/pytorch_model.bin: bert.embeddings.word_embeddings.weight", "stored as int", "f64"],
    );
    // What nobody asks for may be of any format.
    let (mut storages, mut tensors) = plain(&place);
    storages.push(Storage { class: "BoolStorage", bytes: vec![1, 0], len: 2 });
    let storage = storages.len() - 1;
    tensors.push(Tensor { name: "mask".into(), storage, offset: 0, shape: vec![2], strides: vec![1] });
    write_bin(&place, &storages, &tensors);
    assert_eq!(place.succeeds(PACK).1, "");
}

#[test]
fn what_is_wrong_with_an_archive_is_said_in_one_line() {
    let place = Workplace::new();
    let (storages, tensors) = plain(&place);
    write_bin(&place, &storages, &tensors);
    let whole = std::fs::read(place.base("pytorch_model.bin")).expect("an archive");
    for (bytes, part) in [
        (&whole[..whole.len() / 2], "cut short or damaged; fetch it again"),
        (&b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03."[..], "before PyTorch 1.6"),
        (b"<html>", "fetch it again"),
    ] {
        place.write("pytorch_model.bin", bytes);
        for line in [INSPECT, PACK] {
            place.refused(line, &["base/pytorch_model.bin: not a zip archive of torch.save", part]);
        }
    }
    // A bit of a tensor's numbers that flipped.
    let mut flipped = whole.clone();
    let at =
        whole.windows(storages[3].bytes.len()).position(|w| w == storages[3].bytes).expect("the storage");
    flipped[at] ^= 1;
    place.write("pytorch_model.bin", &flipped);
    place.refused(
        PACK,
        &["base/pytorch_model.bin: bert.embeddings.LayerNorm.weight", "damaged; fetch the file again"],
    );
    write(&place.base("pytorch_model.bin"), &[], &[]);
    place.refused(PACK, &["base/pytorch_model.bin: it holds no tensors by name", "state_dict"]);
}
