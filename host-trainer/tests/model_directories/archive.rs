//! Archives as `torch.save` writes them, with tensors that lie in their storages as one likes.

use std::io::Write;
use std::path::Path;

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// A storage: its class in PyTorch and its numbers.
pub struct Storage {
    pub class: &'static str,
    pub bytes: Vec<u8>,
    pub len: usize,
}

impl Storage {
    pub fn f32(values: &[f32]) -> Self {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        Storage { class: "FloatStorage", bytes, len: values.len() }
    }

    pub fn f64(values: &[f32]) -> Self {
        let bytes = values.iter().flat_map(|&v| f64::from(v).to_le_bytes()).collect();
        Storage { class: "DoubleStorage", bytes, len: values.len() }
    }
}

/// A tensor: its name, the number of its storage, and how it lies there.
pub struct Tensor {
    pub name: String,
    pub storage: usize,
    pub offset: usize,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
}

/// Writes a state dict.
pub fn write(path: &Path, storages: &[Storage], tensors: &[Tensor]) {
    let mut archive = ZipWriter::new(std::fs::File::create(path).expect("a file"));
    let mut add = |name: &str, bytes: &[u8]| {
        archive.start_file(name, SimpleFileOptions::default()).expect("an entry");
        archive.write_all(bytes).expect("bytes");
    };
    add("pytorch_model/data.pkl", &pickle(storages, tensors));
    add("pytorch_model/byteorder", b"little");
    for (key, storage) in storages.iter().enumerate() {
        add(&format!("pytorch_model/data/{key}"), &storage.bytes);
    }
    archive.finish().expect("an archive");
}

/// The pickle, in protocol 2 (Python's `Lib/pickletools.py` names the codes).
fn pickle(storages: &[Storage], tensors: &[Tensor]) -> Vec<u8> {
    let mut bytes = b"\x80\x02}(".to_vec();
    for tensor in tensors {
        let storage = &storages[tensor.storage];
        text(&mut bytes, &tensor.name);
        bytes.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        text(&mut bytes, "storage");
        bytes.extend(format!("ctorch\n{}\n", storage.class).bytes());
        text(&mut bytes, &tensor.storage.to_string());
        text(&mut bytes, "cpu");
        number(&mut bytes, storage.len);
        bytes.extend(b"tQ");
        number(&mut bytes, tensor.offset);
        for numbers in [&tensor.shape, &tensor.strides] {
            bytes.push(b'(');
            numbers.iter().for_each(|&n| number(&mut bytes, n));
            bytes.push(b't');
        }
        bytes.extend(b"\x89ccollections\nOrderedDict\n)RtR");
    }
    bytes.extend(b"u.");
    bytes
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    bytes.push(b'X');
    bytes.extend((text.len() as u32).to_le_bytes());
    bytes.extend(text.bytes());
}

fn number(bytes: &mut Vec<u8>, number: usize) {
    bytes.push(b'J');
    bytes.extend((number as i32).to_le_bytes());
}
