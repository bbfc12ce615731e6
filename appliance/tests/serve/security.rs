//! Who may ask, and what is told to whom.

use serde_json::json;

use crate::common::{JSON, PASSAGE, QUESTION, Server, blockspan};

const KEY: &str = "correct-horse-battery-staple";

fn key_file(text: &str) -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys");
    std::fs::write(&path, text).unwrap();
    let name = path.to_str().unwrap().to_owned();
    (directory, name)
}

#[test]
fn with_a_key_file_only_those_with_a_key_are_answered() {
    let (_directory, file) = key_file(&format!("# ours\n{KEY}\nanother-key-of-16-and-more\n"));
    let server = Server::start(&["--api-key-file", &file, "--log-level", "debug"]);
    let body = json!({ "question": QUESTION, "context": PASSAGE }).to_string();
    let ask = |key: Option<&str>| {
        let bearer = key.map(|key| format!("Bearer {key}"));
        let header = bearer.as_deref().map(|bearer| ("Authorization", bearer));
        let headers: Vec<(&str, &str)> = [JSON].into_iter().chain(header).collect();
        server.connect().send("POST", "/v1/answer", &headers, body.as_bytes())
    };
    for key in [KEY, "another-key-of-16-and-more"] {
        ask(Some(key)).ok();
    }
    for key in [None, Some("wrong"), Some("correct-horse-battery-stapl"), Some("# ours"), Some("")] {
        let response = ask(key);
        assert_eq!(response.header("www-authenticate"), Some("Bearer"));
        response.error(401, "unauthorized");
    }
    for path in ["/info", "/metrics", "/nowhere", "/"] {
        server.get(path).error(401, "unauthorized");
    }
    // Whoever watches over the server needs none.
    for path in ["/healthz", "/readyz"] {
        server.get(path).ok();
    }
    // Everything before it is logged when this is.
    server.connect().send("GET", "/healthz", &[("X-Request-Id", "the-last-one")], b"").ok();
    server.wait_for_log("the-last-one");
    let log = server.log();
    assert!(log.contains("/v1/answer") && !log.contains("battery") && !log.contains(PASSAGE), "{log}");
}

#[test]
fn other_machines_are_not_let_in_by_mistake() {
    for address in ["0.0.0.0:0", "[::]:0", "127.0.0.1:0,0.0.0.0:0"] {
        let output = blockspan(&["serve", "--listen", address]).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(
            stderr.contains("other machines could ask; give --api-key-file FILE, or --no-auth"),
            "{stderr}"
        );
    }
    let anywhere = |args: &[&str]| {
        Server::start_command(&mut blockspan(&[&["serve", "--listen", "0.0.0.0:0"], args].concat()));
    };
    anywhere(&["--no-auth"]);
    let (_directory, file) = key_file(KEY);
    anywhere(&["--api-key-file", &file]);
}

#[test]
fn other_origins_are_told_nothing() {
    let server = Server::start(&[]);
    let headers = [("Origin", "http://example.org"), ("Access-Control-Request-Method", "POST")];
    let preflight = server.connect().send("OPTIONS", "/v1/answer", &headers, b"");
    let body = json!({ "question": QUESTION, "context": PASSAGE }).to_string();
    let asked = server.connect().send("POST", "/v1/answer", &[JSON, headers[0]], body.as_bytes());
    for response in [preflight, asked] {
        assert!(response.headers.iter().all(|(name, _)| !name.starts_with("access-control")), "{response:?}");
    }
}
