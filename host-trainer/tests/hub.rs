//! Models named by repository, against a small server that speaks the hub's routes.

mod common;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use blockspan_engine::{AlignedBytes, Model};
use safetensors::tensor::TensorView;

/// The commit that every repository is at.
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

const INSPECT: &str = "inspect org/tiny";

/// What the server serves, and what it was asked for.
#[derive(Default)]
struct Served {
    /// By repository and file.
    files: BTreeMap<(String, String), Vec<u8>>,
    /// The paths of all requests.
    asked: Vec<String>,
    /// Breaks off in the middle of this file, once.
    breaks: Option<String>,
}

/// A server on this machine; its thread ends with the test's process.
struct Server {
    address: String,
    served: Arc<Mutex<Served>>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let served = Arc::new(Mutex::new(Served::default()));
        let (shared, own) = (Arc::clone(&served), address.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that hangs up is no concern of the server's.
                let _ = answer(&stream, &own, &mut shared.lock().expect("a lock"));
            }
        });
        Server { address, served }
    }

    /// Serves the files of a directory as a repository.
    fn add(&self, repository: &str, directory: &Path) {
        for entry in std::fs::read_dir(directory).expect("a directory").flatten() {
            let name = entry.file_name().into_string().expect("UTF-8");
            let bytes = std::fs::read(entry.path()).expect("a file");
            self.served().files.insert((repository.to_owned(), name), bytes);
        }
    }

    fn served(&self) -> std::sync::MutexGuard<'_, Served> {
        self.served.lock().expect("a lock")
    }

    fn asked(&self) -> Vec<String> {
        core::mem::take(&mut self.served().asked)
    }
}

/// One request: `/api/models/REPOSITORY/revision/main` lists, `/REPOSITORY/resolve/main/FILE` gives a file. Weights
/// are redirected to `/blobs/…`, as the hub redirects large files.
fn answer(mut stream: &TcpStream, address: &str, served: &mut Served) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut range = (0usize, usize::MAX);
    for line in lines {
        let line = line?.to_lowercase();
        if let Some(bytes) = line.strip_prefix("range: bytes=") {
            let (from, to) = bytes.split_once('-').unwrap_or((bytes, ""));
            range = (from.parse().unwrap_or(0), to.parse().unwrap_or(usize::MAX));
        }
        if line.is_empty() {
            break;
        }
    }
    served.asked.push(path.clone());
    let mut respond = |status: &str, headers: &str, body: &[u8], sent: usize| {
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n"
        )?;
        stream.write_all(&body[..sent.min(length)])
    };
    if let Some(repository) = path.strip_prefix("/api/models/").and_then(|p| p.strip_suffix("/revision/main"))
    {
        let names: Vec<&String> =
            served.files.keys().filter(|(of, _)| of == repository).map(|(_, name)| name).collect();
        if names.is_empty() {
            return respond("401 Unauthorized", "", b"Repository not found", usize::MAX);
        }
        let siblings: Vec<_> = names.iter().map(|name| serde_json::json!({"rfilename": name})).collect();
        let json = serde_json::json!({"sha": COMMIT, "siblings": siblings}).to_string();
        return respond("200 OK", "Content-Type: application/json\r\n", json.as_bytes(), usize::MAX);
    }
    let is_blob = path.starts_with("/blobs/");
    let place = path.trim_start_matches("/blobs").trim_start_matches('/').split_once("/resolve/main/");
    let Some((repository, name)) = place else { return respond("404 Not Found", "", b"", 0) };
    let Some(bytes) = served.files.get(&(repository.to_owned(), name.to_owned())) else {
        return respond("404 Not Found", "", b"", 0);
    };
    let identity = format!("ETag: \"{name}-{}\"\r\nX-Repo-Commit: {COMMIT}\r\n", bytes.len());
    if name.ends_with(".safetensors") && !is_blob {
        let etag = format!("X-Linked-Etag: \"{name}-{}\"\r\n", bytes.len());
        let headers = format!("{identity}{etag}Location: {address}/blobs{path}\r\n");
        return respond("302 Found", &headers, b"", 0);
    }
    let part = &bytes[range.0.min(bytes.len())..bytes.len().min(range.1.saturating_add(1))];
    let headers = format!(
        "{identity}Content-Range: bytes {}-{}/{}\r\n",
        range.0,
        range.1.min(bytes.len()),
        bytes.len()
    );
    let breaks = part.len() > 1 && served.breaks.as_deref() == Some(name);
    if breaks {
        served.breaks = None;
    }
    respond("206 Partial Content", &headers, part, if breaks { part.len() / 2 } else { usize::MAX })
}

/// Runs the binary in `root` with the cache `root/home` and the hub at `endpoint`.
fn run(root: &Path, endpoint: &str, line: &str, offline: bool) -> Output {
    command(root, endpoint, line, offline).output().expect("the binary runs")
}

fn command(root: &Path, endpoint: &str, line: &str, offline: bool) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_blockspan-trainer"));
    command.current_dir(root).args(line.split_whitespace());
    for variable in
        ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy", "HF_TOKEN"]
    {
        command.env_remove(variable);
    }
    for variable in ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN_PATH", "XDG_CACHE_HOME"] {
        command.env_remove(variable);
    }
    command.env("HF_ENDPOINT", endpoint).env("HF_HOME", root.join("home"));
    command.env("HF_HUB_OFFLINE", if offline { "1" } else { "0" });
    command
}

/// As [`run`], with the cache where `HF_HUB_CACHE` says.
fn run_with_cache(root: &Path, endpoint: &str, cache: &Path) -> Output {
    let mut command = command(root, endpoint, INSPECT, false);
    command.env("HF_HUB_CACHE", cache).output().expect("the binary runs")
}

fn succeeds(root: &Path, endpoint: &str, line: &str, offline: bool) -> String {
    let output = run(root, endpoint, line, offline);
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn refused(root: &Path, endpoint: &str, line: &str, offline: bool, parts: &[&str]) {
    let output = run(root, endpoint, line, offline);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{line}: {message}");
    assert_eq!(message.trim_end().lines().count(), 1, "{message}");
    parts.iter().for_each(|part| assert!(message.contains(part), "no {part:?} in {message}"));
}

/// A directory with the model `base` and the data set, and a server that has the model as `org/tiny`.
fn workplace() -> (tempfile::TempDir, Server) {
    let root = tempfile::tempdir().expect("a directory");
    common::write_base(root.path(), 1);
    // What this program writes beside the files of transformers.
    std::fs::write(root.path().join("base/card.json"), r#"{"license": "MIT"}"#).expect("a card");
    let factors = safetensors::serialize(Vec::<(String, TensorView<'_>)>::new(), None).expect("no factors");
    std::fs::write(root.path().join("base/smoothing.safetensors"), factors).expect("a file");
    let server = Server::start();
    server.add("org/tiny", &root.path().join("base"));
    (root, server)
}

#[test]
fn a_model_is_fetched_once_and_then_read_from_the_cache() {
    let (root, server) = workplace();
    let root = root.path();
    let expected = succeeds(root, &server.address, "inspect base", true);
    assert_eq!(server.asked(), [""; 0]);
    assert_eq!(succeeds(root, &server.address, INSPECT, false), expected);
    let asked = server.asked();
    assert_eq!(asked[0], "/api/models/org/tiny/revision/main");
    for name in ["config.json", "vocab.txt", "model.safetensors", "card.json", "smoothing.safetensors"] {
        assert!(asked.iter().any(|path| path == &format!("/org/tiny/resolve/main/{name}")), "{asked:?}");
    }
    // Where Python's huggingface_hub looks for it.
    let snapshot = root.join("home/hub/models--org--tiny/snapshots").join(COMMIT);
    let (fetched, served) = (snapshot.join("model.safetensors"), root.join("base/model.safetensors"));
    assert_eq!(std::fs::read(fetched).expect("weights"), std::fs::read(served).expect("weights"));
    // Base and teacher from the hub, without asking it again, online or not.
    let finetune = "finetune --base org/tiny --teacher org/tiny --train data.json --epochs 1 --max-seq-len 24 \
                    --doc-stride 8 --out";
    for offline in [false, true] {
        succeeds(root, &server.address, &format!("{finetune} out-{offline}"), offline);
        assert_eq!(server.asked(), [""; 0]);
    }
    succeeds(root, &server.address, "pack --model org/tiny --out tiny.bspan", true);
    let packed = AlignedBytes::read_file(root.join("tiny.bspan")).expect("a file");
    let metadata = Model::parse(&packed).expect("a model").metadata().to_owned();
    assert!(metadata.contains("license: MIT\n") && metadata.contains("source: org/tiny\n"), "{metadata}");
    succeeds(
        root,
        &server.address,
        "evaluate --model org/tiny data.json --max-seq-len 24 --doc-stride 8",
        true,
    );
}

#[test]
fn a_checkpoint_in_parts_is_fetched_with_all_its_parts() {
    let (root, server) = workplace();
    let root = root.path();
    let weights = std::fs::read(root.join("base/model.safetensors")).expect("weights");
    let names = safetensors::SafeTensors::deserialize(&weights).expect("weights");
    let map: BTreeMap<&str, &str> =
        names.names().into_iter().map(|name| (name, "part-1.safetensors")).collect();
    let index = serde_json::json!({"metadata": {}, "weight_map": map}).to_string().into_bytes();
    {
        let mut served = server.served();
        let place = |name: &str| ("org/tiny".to_owned(), name.to_owned());
        let whole = served.files.remove(&place("model.safetensors")).expect("weights");
        served.files.insert(place("part-1.safetensors"), whole);
        served.files.insert(place("model.safetensors.index.json"), index);
        served.breaks = Some("part-1.safetensors".into());
    }
    let expected = succeeds(root, &server.address, "inspect base", true);
    refused(
        root,
        &server.address,
        INSPECT,
        false,
        &["org/tiny: cannot fetch part-1.safetensors from http://", "try again"],
    );
    // The index is there, the part is not: the copy is not whole, and never taken for whole.
    refused(
        root,
        &server.address,
        INSPECT,
        true,
        &["org/tiny", "not whole in the cache", "unset HF_HUB_OFFLINE"],
    );
    assert_eq!(succeeds(root, &server.address, INSPECT, false), expected);
    assert_eq!(succeeds(root, &server.address, INSPECT, true), expected);
}

#[test]
fn hf_hub_cache_was_not_looked_at() {
    let (root, server) = workplace();
    let cache = root.path().join("cache");
    let output = run_with_cache(root.path(), &server.address, &cache);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(cache.join("models--org--tiny/snapshots").join(COMMIT).join("model.safetensors").exists());
    assert!(!root.path().join("home").exists());
    server.asked();
    assert!(run_with_cache(root.path(), &server.address, &cache).status.success());
    assert_eq!(server.asked(), [""; 0]);
}

#[test]
fn a_bare_name_is_told_of_organizations() {
    let (root, server) = workplace();
    let parts = ["all-MiniLM-L6-v2", "no directory", "ORGANIZATION/NAME"];
    refused(root.path(), &server.address, "inspect all-MiniLM-L6-v2", false, &parts);
    assert_eq!(server.asked(), [""; 0]);
}

#[test]
fn a_local_directory_wins() {
    let (root, server) = workplace();
    let root = root.path();
    common::write_base(&root.join("other"), 2);
    std::fs::create_dir(root.join("org")).expect("a directory");
    std::fs::rename(root.join("other/base"), root.join("org/tiny")).expect("renamed");
    succeeds(root, &server.address, INSPECT, false);
    assert_eq!(server.asked(), [""; 0]);
}

#[test]
fn what_cannot_be_fetched_is_named_with_the_remedy() {
    let (root, server) = workplace();
    let root = root.path();
    let address = server.address.clone();
    refused(
        root,
        &address,
        "inspect org/nothing",
        false,
        &["org/nothing", &address, "401", "HF_TOKEN", "name a directory"],
    );
    refused(root, &address, INSPECT, true, &["org/tiny", "unset HF_HUB_OFFLINE"]);
    let teacher = "finetune --base base --teacher org/nothing --train data.json --out out";
    refused(root, &address, teacher, false, &["org/nothing"]);
    assert!(!root.join("out").exists());
    // Nobody listens there any more.
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    refused(
        root,
        &format!("http://{closed}"),
        INSPECT,
        false,
        &["org/tiny", &closed.to_string(), "connection"],
    );
    refused(root, "localhost", INSPECT, false, &["HF_ENDPOINT=localhost", "https://"]);
    let place = |name: &str| ("org/tiny".to_owned(), name.to_owned());
    let words = server.served().files.remove(&place("vocab.txt"));
    refused(root, &address, INSPECT, false, &["org/tiny: ", "vocab.txt", "missing from the repository"]);
    server.served().files.insert(place("vocab.txt"), words.expect("a vocabulary"));
    let weights = server.served().files.remove(&place("model.safetensors"));
    std::fs::remove_dir_all(root.join("home")).expect("removed");
    refused(
        root,
        &address,
        INSPECT,
        false,
        &["org/tiny: ", "neither model.safetensors nor pytorch_model.bin"],
    );
    assert!(weights.is_some());
}
