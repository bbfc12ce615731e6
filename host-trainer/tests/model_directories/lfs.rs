//! Git LFS pointers in the place of the files.

use super::{EVALUATE, FINETUNE, INSPECT, PACK, Workplace};

const POINTER: &str = "version https://git-lfs.github.com/spec/v1\noid sha256:\
                       4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 264596\n";

#[test]
fn a_git_lfs_pointer_was_called_a_broken_download() {
    for file in [
        "model.safetensors",
        "pytorch_model.bin",
        "config.json",
        "vocab.txt",
        "tokenizer.json",
        "tokenizer_config.json",
    ] {
        let place = Workplace::new();
        if file == "pytorch_model.bin" {
            std::fs::remove_file(place.base("model.safetensors")).expect("removed");
        }
        place.write(file, POINTER);
        for line in [FINETUNE, EVALUATE, PACK] {
            place.refused(line, &[&format!("base/{file}: it is a Git LFS pointer"), "git lfs pull"]);
        }
        if !file.contains("token") && file != "vocab.txt" {
            place.refused(INSPECT, &["Git LFS pointer"]);
        }
    }
}
