//! The page for browsers, in a command that was built with it.

use std::path::Path;

use serde_json::Value;

use crate::common::{Server, default_model};

fn files() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bindings/js/page/files.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn every_file_of_the_page_comes_with_its_type_and_the_policy() {
    let server = Server::start(&[]);
    let list = files();
    let policy = list["contentSecurityPolicy"].as_str().unwrap();
    let index = server.get("/");
    assert!(index.text().contains("<title>"), "{index:?}");
    for file in list["files"].as_array().unwrap() {
        let (path, content_type) = (file["path"].as_str().unwrap(), file["type"].as_str().unwrap());
        let response = server.get(&format!("/{path}"));
        assert_eq!((response.status, response.header("content-type")), (200, Some(content_type)), "{path}");
        assert_eq!(response.header("content-security-policy"), Some(policy), "{path}");
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert!(!response.body.is_empty(), "{path}");
        if path == "index.html" {
            assert_eq!(response.body, index.body);
        }
        let tag = response.header("etag").unwrap();
        let known = server.connect().send("GET", &format!("/{path}"), &[("If-None-Match", tag)], b"");
        assert_eq!((known.status, known.body.len()), (304, 0), "{path}");
    }
    server.get("/model.html").error(404, "not_found");
    server.get("/../Cargo.toml").error(404, "not_found");
    server.connect().send("POST", "/page.css", &[], b"").error(404, "not_found");
}

#[test]
fn the_page_finds_the_model_at_work() {
    let server = Server::start(&[]);
    let about = server.get("/model.json").ok();
    let model = server.get("/model.bspan");
    assert_eq!(about["url"], "model.bspan");
    assert_eq!(about["bytes"], model.body.len());
    assert!(model.body == std::fs::read(default_model()).unwrap());
    // What sha256sum says of it.
    let sum = std::process::Command::new("sha256sum").arg(default_model()).output().unwrap();
    let sum = String::from_utf8(sum.stdout).unwrap();
    assert_eq!(about["sha256"].as_str(), sum.split(' ').next());
    assert_eq!(model.header("etag"), Some(format!("{}", about["sha256"]).as_str()));
}
