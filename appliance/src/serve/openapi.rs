//! Makes the description of the interface, `openapi.json`, from the types that are read and written. Only tests do that;
//! the server hands out the committed file.

use std::path::Path;

use schemars::JsonSchema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use super::errors::{ErrorBody, Kind};
use super::routes::{health, hf, info, native, rules, search, weaviate};

/// The document, while it is put together.
struct Document {
    generator: SchemaGenerator,
    paths: Map<String, Value>,
}

impl Document {
    fn json<T: JsonSchema>(&mut self) -> Value {
        json!({ "application/json": { "schema": self.generator.subschema_for::<T>() } })
    }

    /// A path that takes questions, with every error that these may get.
    fn ask<Q: JsonSchema, A: JsonSchema>(&mut self, path: &str, id: &str, summary: &str) {
        let errors =
            Kind::ALL.into_iter().filter(|kind| ![Kind::NotFound, Kind::MethodNotAllowed].contains(kind));
        let mut responses: Map<String, Value> = errors.map(reference).collect();
        responses.insert("200".into(), json!({ "description": "The answers", "content": self.json::<A>() }));
        let body = json!({ "required": true, "content": self.json::<Q>() });
        let operation = json!({
            "operationId": id, "summary": summary, "requestBody": body, "responses": responses,
            "security": [{}, { "key": [] }],
        });
        self.paths.insert(path.into(), json!({ "post": operation }));
    }

    /// Says of a path that takes questions that it may be one that this server does not have.
    fn not_found(&mut self, path: &str) {
        let responses = &mut self.paths[path]["post"]["responses"];
        responses.as_object_mut().unwrap().extend([reference(Kind::NotFound)]);
    }

    /// A path that tells something; one that is not `open` may want a key.
    fn tell(&mut self, path: &str, id: &str, summary: &str, open: bool, mut responses: Map<String, Value>) {
        let security = if open {
            json!([])
        } else {
            responses.extend([reference(Kind::Unauthorized)]);
            json!([{}, { "key": [] }])
        };
        let operation =
            json!({ "operationId": id, "summary": summary, "responses": responses, "security": security });
        self.paths.insert(path.into(), json!({ "get": operation }));
    }

    fn ok<T: JsonSchema>(&mut self, description: &str) -> Map<String, Value> {
        one("200", json!({ "description": description, "content": self.json::<T>() }))
    }
}

fn one(status: &str, response: Value) -> Map<String, Value> {
    Map::from_iter([(status.to_owned(), response)])
}

fn plain(status: &str, description: &str) -> (String, Value) {
    (status.to_owned(), json!({ "description": description }))
}

/// The response of an error, which all paths share.
fn reference(kind: Kind) -> (String, Value) {
    let name = format!("#/components/responses/{}", kind.name());
    (kind.status().as_str().to_owned(), json!({ "$ref": name }))
}

/// The whole document.
fn document() -> Value {
    let settings = SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = "/components/schemas".into());
    let mut document = Document { generator: settings.into_generator(), paths: Map::new() };
    document.ask::<hf::Request, hf::TaskResponse>(
        "/",
        "task",
        "The question-answering task of Hugging Face's inference API",
    );
    document.ask::<native::Request, rules::Replies<'_>>(
        "/v1/answer",
        "answer",
        "One question or many, about a passage or documents, by the rules of `blockspan ask`",
    );
    document.ask::<search::Request, rules::Replies<'_>>(
        "/v1/search-answer",
        "searchAnswer",
        "One question or many, about the documents of the server's index",
    );
    document.not_found("/v1/search-answer");
    document.ask::<weaviate::Request, weaviate::Reply>(
        "/answers/",
        "weaviate",
        "What Weaviate's module qna-transformers asks",
    );
    let health = document.ok::<health::Health>("The process works");
    document.tell("/healthz", "health", "Whether the process works", true, health);
    let mut ready = document.ok::<health::Health>("Questions are taken");
    let content = document.json::<health::Health>();
    ready.insert("503".into(), json!({ "description": "The server is about to end", "content": content }));
    document.tell("/readyz", "ready", "Whether questions are taken", true, ready);
    let live = Map::from_iter([plain("204", "The process works")]);
    document.tell("/.well-known/live", "weaviateLive", "Whether the process works", true, live);
    let ready =
        Map::from_iter([plain("204", "Questions are taken"), plain("503", "The server is about to end")]);
    document.tell("/.well-known/ready", "weaviateReady", "Whether questions are taken", true, ready);
    let meta = document.ok::<weaviate::Meta>("The server");
    document.tell("/meta", "weaviateMeta", "What Weaviate shows of a module", false, meta);
    let info = document.ok::<info::Info>("What answers here");
    document.tell("/info", "info", "The model, the machine, the limits", false, info);
    let text = json!({ "text/plain": { "schema": { "type": "string" } } });
    let figures = one("200", json!({ "description": "The figures", "content": text }));
    document.tell("/metrics", "metrics", "Figures for Prometheus", false, figures);
    let itself = json!({ "application/json": { "schema": { "type": "object" } } });
    let itself = one("200", json!({ "description": "This document", "content": itself }));
    document.tell("/openapi.json", "openapi", "This document", false, itself);

    let error = document.json::<ErrorBody<'_>>();
    let errors = Kind::ALL.map(|kind| {
        let status = kind.status().canonical_reason().unwrap_or_default();
        let mut response = json!({ "description": status, "content": error });
        if kind == Kind::Overloaded {
            let seconds = json!({ "description": "Seconds", "schema": { "type": "integer" } });
            response["headers"] = json!({ "Retry-After": seconds });
        }
        (kind.name().to_owned(), response)
    });
    let schemas = document.generator.take_definitions(true);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "blockspan serve",
            "description": "Answers to questions from a passage.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": env!("CARGO_PKG_LICENSE"), "identifier": env!("CARGO_PKG_LICENSE") },
        },
        "paths": document.paths,
        "components": {
            "schemas": schemas,
            "responses": Map::from_iter(errors),
            "securitySchemes": { "key": { "type": "http", "scheme": "bearer" } },
        },
    })
}

/// `BLOCKSPAN_BLESS=1 cargo test --release -p blockspan openapi` writes the file.
#[test]
fn the_committed_file_is_what_the_types_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let now = serde_json::to_string_pretty(&document()).unwrap() + "\n";
    if std::env::var_os("BLOCKSPAN_BLESS").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == now, "openapi.json is not up to date; run this test with BLOCKSPAN_BLESS=1");
}

#[test]
fn every_reference_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(map) => {
                found.extend(map.get("$ref").and_then(Value::as_str));
                map.values().for_each(|value| references(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let document = document();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 20, "{found:?}");
    for reference in found {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
}
