//! From the start to the end: settings, figures, health, signals.

use serde_json::json;

use crate::common::{JSON, PASSAGE, QUESTION, Server, blockspan, wait_until};

#[test]
fn every_series_is_there_before_the_first_question() {
    let server = Server::start(&[]);
    let first = server.get("/metrics");
    assert!(first.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"), "{first:?}");
    let series = |text: &str| -> Vec<String> {
        let names = text.lines().filter(|line| !line.starts_with('#'));
        names.map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect()
    };
    for name in [
        r#"blockspan_requests_total{route="/",code="200"}"#,
        r#"blockspan_requests_total{route="/v1/answer",code="429"}"#,
        r#"blockspan_requests_total{route="/answers/",code="500"}"#,
        r#"blockspan_request_duration_seconds_count{route="/"}"#,
        "blockspan_queue_duration_seconds_count",
        r#"blockspan_inference_duration_seconds_bucket{le="0.001"}"#,
        "blockspan_inference_duration_seconds_sum",
        "blockspan_requests_canceled_total",
        "blockspan_questions_total",
        "blockspan_windows_total",
        "blockspan_overloaded_total",
        "blockspan_panics_total",
        "blockspan_connections_refused_total",
        "blockspan_model_swaps_total",
        "blockspan_model_swaps_failed_total",
        "blockspan_queue_waiting",
        "blockspan_requests_in_flight",
    ] {
        let line =
            first.text().lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
        assert_eq!(line, Some(0.0), "{name} in {}", first.text());
    }
    server.post("/v1/answer", &json!({ "question": QUESTION, "context": PASSAGE })).ok();
    server.post("/", &json!({})).error(422, "validation");
    server.get("/nowhere").error(404, "not_found");
    let later = server.get("/metrics").text();
    assert_eq!(series(&first.text()), series(&later));
    for (name, value) in [
        (r#"blockspan_requests_total{route="/v1/answer",code="200"}"#, 1.0),
        (r#"blockspan_requests_total{route="/",code="422"}"#, 1.0),
        (r#"blockspan_requests_total{route="other",code="404"}"#, 1.0),
        (r#"blockspan_request_duration_seconds_count{route="/v1/answer"}"#, 1.0),
        ("blockspan_questions_total", 1.0),
        ("blockspan_windows_total", 1.0),
        ("blockspan_queue_duration_seconds_count", 1.0),
        ("blockspan_inference_duration_seconds_count", 1.0),
    ] {
        assert_eq!(server.metric(name), value, "{name}");
    }
}

#[test]
fn the_figures_that_the_readme_names_are_there() {
    let server = Server::start(&[]);
    let text = server.get("/metrics").text();
    let named = |line: &str| -> Vec<String> {
        let words = line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        words.filter(|word| word.starts_with("blockspan_")).map(str::to_owned).collect()
    };
    let names: Vec<String> = include_str!("../../README.md").lines().flat_map(named).collect();
    // blockspan_*.deb is none.
    let names: Vec<String> = names.into_iter().filter(|name| name != "blockspan_").collect();
    assert!(names.len() >= 7, "{names:?}");
    for name in names {
        let series = |line: &str| line.starts_with(&name) && !line.starts_with('#');
        assert!(text.lines().any(series), "{name} is not in {text}");
    }
}

/// One session: a question waits at least as long as the one before it is read.
#[test]
fn the_wait_for_a_session_and_the_reading_are_two_figures() {
    let server = Server::start(&["--threads", "1"]);
    let questions: Vec<&str> = core::iter::repeat_n(QUESTION, 8).collect();
    server.post("/v1/answer", &json!({ "questions": questions, "context": PASSAGE.repeat(30) })).ok();
    let [waited, read] = ["queue", "inference"].map(|what| {
        let name = |part: &str| format!("blockspan_{what}_duration_seconds_{part}");
        assert_eq!(server.metric(&name("count")), 8.0, "{what}");
        assert_eq!(server.metric(&name(r#"bucket{le="+Inf"}"#)), 8.0, "{what}");
        server.metric(&name("sum"))
    });
    let whole = server.metric(r#"blockspan_request_duration_seconds_sum{route="/v1/answer"}"#);
    assert!(0.0 < read && read <= whole, "{read} s of reading in {whole} s");
    // Two at a time are handed in, and all but the first wait for the one before.
    assert!(waited > 0.1 * read, "{waited} s of waiting, {read} s of reading");
}

#[test]
fn info_tells_what_answers_and_the_limits() {
    let server = Server::start(&["--threads", "3", "--max-questions", "5", "--isa", "scalar"]);
    let info = server.get("/info").ok();
    let expected = json!({ "isa": "scalar", "mode": "throughput", "sessions": 3, "threads_per_session": 1 });
    assert_eq!(info["machine"], expected);
    assert_eq!((&info["limits"]["max_questions"], &info["limits"]["queue"]), (&json!(5), &json!(512)));
    assert_eq!(
        (&info["model"]["hidden"], &info["model"]["name"]),
        (&json!(384), &json!("the default model"))
    );
    let named = Server::start(&["--model", crate::common::default_model().to_str().unwrap()]);
    let info = named.get("/info").ok();
    let bytes = std::fs::metadata(crate::common::default_model()).unwrap().len();
    assert_eq!((&info["model"]["name"], &info["model"]["bytes"]), (&json!("default.bspan"), &json!(bytes)));
    assert!(info["model"]["metadata"].is_object());
}

#[test]
fn the_mode_changes_no_bit() {
    let request = json!({ "question": QUESTION, "context": PASSAGE.repeat(20), "top_k": 5 });
    let one = Server::start(&["--mode", "latency", "--threads", "2"]);
    assert_eq!(one.get("/info").ok()["machine"]["threads_per_session"], 2);
    let many = Server::start(&["--threads", "2"]);
    assert_eq!(one.post("/v1/answer", &request).body, many.post("/v1/answer", &request).body);
}

#[test]
fn options_come_from_the_environment_and_the_command_line_wins() {
    let mut command = blockspan(&["serve", "--max-documents", "7"]);
    command.env("BLOCKSPAN_LISTEN", "127.0.0.1:0").env("BLOCKSPAN_MAX_QUESTIONS", "3");
    command.env("BLOCKSPAN_MAX_DOCUMENTS", "9").env("BLOCKSPAN_LOG_FORMAT", "json");
    let server = Server::start_command(&mut command);
    let limits = server.get("/info").ok()["limits"].clone();
    assert_eq!((&limits["max_questions"], &limits["max_documents"]), (&json!(3), &json!(7)));
    let log = server.log();
    assert!(log.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{log}");
}

#[test]
fn requests_have_an_id_in_response_and_log() {
    let server = Server::start(&["--log-format", "json"]);
    let body = json!({ "question": QUESTION, "context": PASSAGE }).to_string();
    let own =
        server.connect().send("POST", "/v1/answer", &[JSON, ("X-Request-Id", "order-66")], body.as_bytes());
    assert_eq!(own.header("x-request-id"), Some("order-66"));
    let made = server.connect().send("POST", "/v1/answer", &[JSON], body.as_bytes());
    let id = made.header("x-request-id").unwrap();
    assert_eq!(id.len(), 32);
    for id in ["order-66", id] {
        server.wait_for_log(&format!("\"request_id\":\"{id}\""));
    }
    let log = server.log();
    let line = log.lines().find(|line| line.contains("order-66")).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(
        (&line["path"], &line["status"], &line["level"]),
        (&json!("/v1/answer"), &json!("200"), &json!("INFO"))
    );
}

#[cfg(unix)]
#[test]
fn sigterm_ends_the_server_after_the_questions_that_it_took() {
    let server = Server::start(&["--threads", "1"]);
    let mut waiting = server.connect();
    let long = json!({ "question": QUESTION, "context": PASSAGE.repeat(400) });
    waiting.begin("POST", "/v1/answer", &[JSON], long.to_string().as_bytes());
    wait_until("a request at work", || server.metric("blockspan_requests_in_flight") == 1.0);
    let mut idle = server.connect();
    idle.send("GET", "/readyz", &[], b"").ok();

    server.signal("TERM");
    server.wait_for_log("shutting down");
    // Whoever asks learns that there is an end, but not by 503.
    let ready = server.get("/readyz");
    assert_eq!((ready.status, ready.json()["status"].as_str()), (503, Some("shutting down")));
    server.get("/healthz").ok();
    let refused = server.post("/v1/answer", &json!({ "question": QUESTION, "context": PASSAGE }));
    assert_eq!(refused.header("connection"), Some("close"));
    refused.error(429, "overloaded");

    assert!(!waiting.response().ok()["answers"].as_array().unwrap().is_empty());
    assert!(waiting.is_closed() && idle.is_closed());
    let output = server.end();
    assert!(output.status.success(), "{output:?}");
    assert!(output.stdout.is_empty());
}

#[cfg(unix)]
#[test]
fn the_wait_for_answers_ends_with_the_grace_period_or_a_second_signal() {
    for (grace, signals) in [("1", 1), ("600", 2)] {
        let server = Server::start(&["--threads", "1", "--grace-period", grace]);
        let mut waiting = server.connect();
        let long = json!({ "question": QUESTION, "context": PASSAGE.repeat(20_000) });
        waiting.begin("POST", "/v1/answer", &[JSON], long.to_string().as_bytes());
        wait_until("a request at work", || server.metric("blockspan_requests_in_flight") == 1.0);
        server.signal("TERM");
        server.wait_for_log("shutting down");
        if signals == 2 {
            server.signal("INT");
        }
        let output = server.end();
        assert!(output.status.success(), "{output:?}");
        assert!(String::from_utf8(output.stderr).unwrap().contains("left without an answer"));
        assert!(waiting.is_closed());
    }
}

#[test]
fn the_description_of_the_interface_fits_it() {
    let server = Server::start(&[]);
    let document = server.get("/openapi.json").ok();
    let committed = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    assert_eq!(
        document,
        serde_json::from_slice::<serde_json::Value>(&std::fs::read(committed).unwrap()).unwrap()
    );
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() >= 11, "{paths:?}");
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().unwrap() {
            let response = match method.as_str() {
                "get" => server.get(path),
                "post" => server.post(path, &json!({})),
                other => panic!("{other} {path}"),
            };
            let status = response.status.to_string();
            assert!(operation["responses"].get(&status).is_some(), "{method} {path}: {status}");
            // There is no index to search.
            let none = if path == "/v1/search-answer" { &["405", "500"][..] } else { &["404", "405", "500"] };
            assert!(!none.contains(&status.as_str()), "{method} {path}: {status}");
        }
    }
}
