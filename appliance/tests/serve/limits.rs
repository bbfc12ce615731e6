//! What is too much, and what takes too long.

use core::time::Duration;

use serde_json::{Value, json};

use crate::common::{JSON, PASSAGE, QUESTION, Server, wait_until};

fn question() -> Value {
    json!({ "question": QUESTION, "context": PASSAGE })
}

/// Takes a session some seconds at least.
fn long() -> Value {
    json!({ "question": QUESTION, "context": PASSAGE.repeat(4000) })
}

#[test]
fn each_limit_has_a_flag_of_its_own() {
    let server = Server::start(&["--max-body-bytes", "2000", "--max-questions", "2", "--max-documents", "3"]);
    let many = |count: usize| json!({ "questions": vec![QUESTION; count], "context": PASSAGE });
    server.post("/v1/answer", &many(2)).ok();
    let message = server.post("/v1/answer", &many(3)).error(413, "too_large");
    assert!(message.contains("3 questions") && message.contains("--max-questions"), "{message}");

    let documents =
        |count: usize| json!({ "question": QUESTION, "documents": vec![json!({ "text": PASSAGE }); count] });
    server.post("/v1/answer", &documents(3)).ok();
    let message = server.post("/v1/answer", &documents(4)).error(413, "too_large");
    assert!(message.contains("4 documents") && message.contains("--max-documents"), "{message}");

    let padded = |bytes: usize| format!("{}{}", question(), " ".repeat(bytes - question().to_string().len()));
    server.connect().send("POST", "/v1/answer", &[JSON], padded(2000).as_bytes()).ok();
    for bytes in [2001, 7000, 1 << 20] {
        let mut connection = server.connect();
        // The server may close before all of it is sent.
        let message = connection.send("POST", "/v1/answer", &[JSON], padded(bytes).as_bytes());
        assert!(message.error(413, "too_large").contains("--max-body-bytes"), "{bytes}");
    }
    // The client waits to be told to go on; it is told to stay.
    let mut connection = server.connect();
    connection.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n");
    connection.write(b"Content-Length: 9000\r\nExpect: 100-continue\r\n\r\n");
    connection.response().error(413, "too_large");
}

/// What is sent once may come back with every answer.
#[test]
fn a_response_has_a_limit_too() {
    let server = Server::start(&["--max-body-bytes", "400000"]);
    let meta = "m".repeat(300_000);
    let request = |top_k: usize| {
        let documents = json!([{ "text": PASSAGE, "meta": meta }]);
        json!({ "question": QUESTION, "documents": documents, "top_k": top_k, "per_document": top_k })
    };
    let answers = server.post("/v1/answer", &request(5)).ok()["answers"].as_array().unwrap().len();
    assert_eq!(answers, 5);
    let message = server.post("/v1/answer", &request(6)).error(413, "too_large");
    assert!(message.contains("1600000 bytes"), "{message}");
}

#[test]
fn a_body_in_chunks_has_the_same_limit() {
    let server = Server::start(&["--max-body-bytes", "100"]);
    let mut connection = server.connect();
    connection.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n");
    connection.write(b"Transfer-Encoding: chunked\r\n\r\n");
    for _ in 0..3 {
        connection.write(b"32\r\n                                                  \r\n");
    }
    connection.write(b"0\r\n\r\n");
    connection.response().error(413, "too_large");
}

/// One question or many in a request: both are taken while there is a place, and refused where there is none.
#[test]
fn a_full_queue_refuses_with_429_and_says_when_to_come_back() {
    let server = Server::start(&["--threads", "1", "--queue", "1"]);
    let mut clients = Vec::new();
    // One is being read and one waits.
    for number in [1.0, 2.0] {
        let mut client = server.connect();
        client.begin("POST", "/v1/answer", &[JSON], long().to_string().as_bytes());
        clients.push(client);
        wait_until("a request at work", || server.metric("blockspan_requests_in_flight") == number);
    }
    wait_until("a job in the queue", || server.metric("blockspan_queue_waiting") == 1.0);
    let many = json!({ "questions": [QUESTION, QUESTION], "context": PASSAGE });
    let task = json!({ "inputs": { "question": QUESTION, "context": PASSAGE } });
    for (path, body) in [("/v1/answer", question()), ("/v1/answer", many.clone()), ("/", task)] {
        let response = server.post(path, &body);
        assert_eq!(response.header("retry-after"), Some("1"));
        response.error(429, "overloaded");
    }
    assert_eq!(server.metric("blockspan_overloaded_total"), 3.0);
    // Checks of the server's health wait for nothing.
    server.get("/healthz").ok();
    server.get("/readyz").ok();

    // A client that left makes room at once.
    drop(clients);
    wait_until("room", || server.metric("blockspan_requests_in_flight") == 0.0);
    assert_eq!(server.metric("blockspan_requests_canceled_total"), 2.0);
    server.post("/v1/answer", &many).ok();
    assert_eq!(server.metric("blockspan_questions_total"), 2.0, "nobody waited for the others");
}

/// More jobs than the queue has places: the request waits for its own.
#[test]
fn a_request_may_have_more_questions_than_the_queue_has_places() {
    let server = Server::start(&["--threads", "1", "--queue", "1"]);
    let request = json!({ "questions": vec![QUESTION; 20], "context": PASSAGE });
    let results = server.post("/v1/answer", &request).ok();
    assert_eq!(results["results"].as_array().unwrap().len(), 20);
}

#[test]
fn slow_clients_are_sent_away() {
    let server = Server::start(&["--header-timeout", "1", "--body-timeout", "1", "--idle-timeout", "2"]);
    let mut silent = server.connect();
    let mut slow_head = server.connect();
    slow_head.write(b"POST / HTTP/1.1\r\nHost: a\r\n");
    let mut slow_body = server.connect();
    slow_body.write(
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{",
    );
    let mut idle = server.connect();
    assert_eq!(idle.send("GET", "/healthz", &[], b"").status, 200);

    for client in [&mut silent, &mut slow_head, &mut slow_body] {
        client.response().error(408, "timeout");
        assert!(client.is_closed());
    }
    // Between requests nothing is said.
    assert!(idle.try_response().is_none());
    wait_until("the end of all", || server.metric("blockspan_connections") == 1.0);
}

/// A head that comes in drops is as late as one that stops.
#[test]
fn drops_do_not_stretch_the_time() {
    let server = Server::start(&["--header-timeout", "1"]);
    let mut drops = server.connect();
    drops.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n");
    let late = std::thread::scope(|scope| {
        let address = server.address;
        // Alive all the while.
        scope.spawn(move || crate::common::Connection::to(address).send("GET", "/healthz", &[], b"").ok());
        for _ in 0..20 {
            std::thread::sleep(Duration::from_millis(100));
            if drops.try_write(b"X-Drop: 1\r\n").is_err() {
                break;
            }
        }
        drops.try_response()
    });
    assert!(late.is_none_or(|response| response.status == 408));
    assert!(drops.is_closed());
}

#[test]
fn connections_beyond_the_limit_are_told_so() {
    let server = Server::start(&["--max-connections", "2"]);
    let (mut first, mut second) = (server.connect(), server.connect());
    for connection in [&mut first, &mut second] {
        connection.send("GET", "/healthz", &[], b"").ok();
    }
    server.get("/healthz").error(429, "overloaded");
    // Those that are there are not disturbed.
    first.send("POST", "/v1/answer", &[JSON], question().to_string().as_bytes()).ok();
    drop(second);
    wait_until("room", || server.connect().send("GET", "/healthz", &[], b"").status == 200);
    let text = first.send("GET", "/metrics", &[], b"").text();
    let refused = text.lines().find_map(|line| line.strip_prefix("blockspan_connections_refused_total "));
    assert!(refused.unwrap().parse::<u32>().unwrap() >= 1);
}
