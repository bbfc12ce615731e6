//! Another model in the place of the one at work.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::common::{Connection, JSON, PASSAGE, QUESTION, Server, default_model, wait_until};
use crate::packed::with_card;

/// A folder with a model that is replaced.
struct Place {
    _directory: tempfile::TempDir,
    path: PathBuf,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("model.bspan");
        std::fs::copy(default_model(), &path).unwrap();
        Self { _directory: directory, path }
    }

    /// By renaming, as it should be.
    fn replace(&self, with: &[u8]) {
        let new = self.path.with_extension("new");
        std::fs::write(&new, with).unwrap();
        std::fs::rename(&new, &self.path).unwrap();
    }

    fn name(&self) -> &str {
        self.path.to_str().unwrap()
    }
}

/// The default model with another card.
fn other_model() -> Vec<u8> {
    with_card("base: another one\n")
}

fn ask(server: &Server) -> Value {
    server.post("/v1/answer", &json!({ "question": QUESTION, "context": PASSAGE })).ok()
}

/// `base` of the card.
fn at_work(server: &Server) -> Value {
    server.get("/info").ok()["model"]["metadata"]["base"].clone()
}

#[test]
fn sighup_puts_another_model_to_work_and_refuses_a_broken_one() {
    let place = Place::new();
    let server = Server::start(&["--model", place.name(), "--threads", "1"]);
    let before = ask(&server);
    let other = other_model();

    let mut damaged = other.clone();
    damaged[other.len() / 2] ^= 1;
    for (broken, reason) in [
        (damaged.as_slice(), "checksum differs"),
        (b"", "not a .bspan model"),
        (&other[..5000], "incomplete"),
    ] {
        let failed = server.metric("blockspan_model_swaps_failed_total");
        // Over the old bytes: they are not mapped.
        std::fs::write(&place.path, broken).unwrap();
        server.signal("HUP");
        wait_until("a refusal", || server.metric("blockspan_model_swaps_failed_total") == failed + 1.0);
        server.wait_for_log(reason);
        assert_eq!(ask(&server), before);
    }
    place.replace(&other);
    server.signal("HUP");
    wait_until("the other model", || server.metric("blockspan_model_swaps_total") == 1.0);
    assert_eq!(at_work(&server), "another one");
}

#[test]
fn watch_sees_a_new_file() {
    let place = Place::new();
    let server = Server::start(&["--model", place.name(), "--threads", "1", "--watch"]);
    place.replace(&other_model());
    wait_until("the other model", || at_work(&server) == "another one");
    std::fs::remove_file(&place.path).unwrap();
    place.replace(&std::fs::read(default_model()).unwrap());
    wait_until("the first model", || at_work(&server) != "another one");
    assert_eq!(server.metric("blockspan_model_swaps_total"), 2.0);
    assert_eq!(server.metric("blockspan_model_swaps_failed_total"), 0.0);
}

#[test]
fn no_request_notices_a_swap() {
    let place = Place::new();
    let server = Server::start(&["--model", place.name(), "--threads", "1"]);
    let body = json!({ "question": QUESTION, "context": PASSAGE }).to_string();
    let expected = server.connect().send("POST", "/v1/answer", &[JSON], body.as_bytes()).body;
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..3)
            .map(|_| {
                let (address, body, expected) = (server.address, &body, &expected);
                scope.spawn(move || {
                    let mut connection = Connection::to(address);
                    for _ in 0..60 {
                        let response = connection.send("POST", "/v1/answer", &[JSON], body.as_bytes());
                        assert_eq!((response.status, &response.body), (200, expected));
                    }
                })
            })
            .collect();
        let mut swaps = 0.0;
        while !clients.iter().all(|client| client.is_finished()) || swaps < 5.0 {
            server.signal("HUP");
            swaps += 1.0;
            wait_until("a swap", || server.metric("blockspan_model_swaps_total") >= swaps);
        }
    });
}

#[test]
fn keys_are_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("keys");
    std::fs::write(&file, "the-first-key-of-all\n").unwrap();
    let server = Server::start(&["--api-key-file", file.to_str().unwrap()]);
    let status = |key: &str| {
        server.connect().send("GET", "/info", &[("Authorization", &format!("Bearer {key}"))], b"").status
    };
    assert_eq!((status("the-first-key-of-all"), status("the-second-one-of-them")), (200, 401));
    std::fs::write(&file, "").unwrap();
    server.signal("HUP");
    server.wait_for_log("the old ones go on");
    assert_eq!(status("the-first-key-of-all"), 200);
    std::fs::write(&file, "the-second-one-of-them\n").unwrap();
    server.signal("HUP");
    wait_until("the other key", || status("the-second-one-of-them") == 200);
    assert_eq!(status("the-first-key-of-all"), 401);
}
