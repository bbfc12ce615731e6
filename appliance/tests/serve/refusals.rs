//! Requests that get an error, whatever the server does at the time; and commands that start no server.

use serde_json::json;

use crate::common::{JSON, PASSAGE, QUESTION, Server, blockspan, wait_until};

#[test]
fn every_error_is_json_with_its_status() {
    let server = Server::start(&[]);
    let body = json!({ "question": QUESTION, "context": PASSAGE }).to_string();
    let send = |method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]| {
        server.connect().send(method, path, headers, body)
    };
    let deep = format!(r#"{{"question": "q", "documents": [{{"text": "t", "meta": {}"#, "[".repeat(100_000));
    for (broken, reason) in [
        (b"".as_slice(), "the body is empty"),
        (b"{", "not JSON"),
        (b"question=1", "not JSON"),
        (b"{\"question\": \"\xff\", \"context\": \"c\"}", "not JSON"),
        (b"{\"question\": \"\\ud800\", \"context\": \"c\"}", "not JSON"),
        (deep.as_bytes(), "recursion limit"),
    ] {
        let message = send("POST", "/v1/answer", &[JSON], broken).error(400, "malformed");
        assert!(message.contains(reason), "{message}");
    }
    let message = send("GET", "/v2/answer", &[], b"").error(404, "not_found");
    assert!(message.starts_with("/v2/answer: "), "{message}");
    for (method, path) in
        [("GET", "/v1/answer"), ("DELETE", "/"), ("POST", "/healthz"), ("PUT", "/v1/answer")]
    {
        let message = send(method, path, &[JSON], body.as_bytes()).error(405, "method_not_allowed");
        assert!(message.contains(method), "{message}");
    }
    for named in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", "\u{fc}"] {
        send("POST", "/v1/answer", &[("Content-Type", named)], body.as_bytes())
            .error(415, "unsupported_media_type");
    }
    // A page may send this from any browser without asking.
    let origin = [("Origin", "http://example.org")];
    send("POST", "/v1/answer", &origin, body.as_bytes()).error(415, "unsupported_media_type");
    for named in ["application/json; charset=utf-8", "APPLICATION/JSON"] {
        send("POST", "/v1/answer", &[("Content-Type", named)], body.as_bytes()).ok();
    }
    send("POST", "/v1/answer", &[], body.as_bytes()).ok();
}

/// What is not HTTP is refused by the library; the words are ours.
#[test]
fn garbage_gets_400_and_the_end_of_the_connection() {
    let server = Server::start(&[]);
    let smuggled =
        "POST /v1/answer HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!";
    let tls = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 and more\r\n\r\n";
    for garbage in [tls.as_slice(), b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", smuggled.as_bytes()] {
        let mut connection = server.connect();
        connection.write(garbage);
        let message = connection.response().error(400, "malformed");
        assert!(message.contains("not HTTP/1.1"), "{message}");
        assert!(connection.is_closed());
    }
    let mut connection = server.connect();
    connection
        .write(format!("GET /healthz HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(1 << 20)).as_bytes());
    // The end of the connection may overtake it.
    if let Some(response) = connection.try_response() {
        response.error(431, "too_large");
    }
    // After good requests as well.
    let mut connection = server.connect();
    connection.send("GET", "/healthz", &[], b"").ok();
    connection.write(b"nonsense\r\n\r\n");
    connection.response().error(400, "malformed");
    wait_until("no connection", || server.metric("blockspan_connections") == 1.0);
    server.get("/healthz").ok();
}

fn refused(args: &[&str], parts: &[&str]) {
    let output = blockspan(&[&["serve"], args].concat()).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.starts_with("error: "), "{stderr}");
    for part in parts {
        assert!(stderr.contains(part), "no {part:?} in {stderr}");
    }
}

#[test]
fn a_command_that_cannot_work_ends_with_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (empty, broken) = (file("empty.txt", ""), file("broken.bspan", "not a model"));
    let here = ["--listen", "127.0.0.1:0"];
    for (args, parts) in [
        (vec!["--model", "missing.bspan"], vec!["missing.bspan: ", "name a .bspan file"]),
        (vec!["--model", broken.as_str()], vec!["broken.bspan: ", "not a .bspan model"]),
        (vec!["--model", directory.path().to_str().unwrap()], vec!["is a directory"]),
        (vec!["--api-key-file", "missing.txt"], vec!["--api-key-file missing.txt: "]),
        (vec!["--api-key-file", empty.as_str()], vec!["empty.txt: holds no key"]),
        (vec!["--threads", "33", "--mode", "latency"], vec!["--threads 33", "at most 32"]),
        (vec!["--max-seq-len", "4"], vec!["--max-seq-len 4: give 8 to 512"]),
        (vec!["--isa", "mmx"], vec!["--isa mmx"]),
        (vec!["--queue", "0"], vec!["--queue", "give a whole number from 1"]),
        (vec!["--no-auth", "--api-key-file", "k"], vec!["cannot be used with"]),
    ] {
        refused(&[here.as_slice(), &args].concat(), &parts);
    }
    refused(&["--listen", "nowhere"], &["--listen nowhere: ", "give an address and a port"]);
    refused(&["--listen", "127.0.0.1"], &["--listen 127.0.0.1: "]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    refused(&["--listen", &address], &["cannot listen on ", &address, "give another port"]);
}
