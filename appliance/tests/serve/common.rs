//! Starts the server, and speaks HTTP to it.

use core::net::SocketAddr;
use core::time::Duration;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use serde_json::Value;

pub use crate::packed::default_model;

pub const PASSAGE: &str =
    "The lighthouse on Gannet Point was built in 1862 and stands 31 metres above the rocks.";
pub const QUESTION: &str = "When was the lighthouse built?";

/// Nothing here takes so long; it ends a test that would hang.
const PATIENCE: Duration = Duration::from_secs(120);

/// The command without the caller's settings.
pub fn blockspan(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_blockspan"));
    command.args(args).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("BLOCKSPAN_") {
            command.env_remove(name);
        }
    }
    command
}

/// What `ask --json` prints.
pub fn ask(args: &[&str]) -> Vec<u8> {
    let output = blockspan(&[&["ask", "--json"], args].concat()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

/// A running server, on a free port of this machine.
pub struct Server {
    pub child: Child,
    pub address: SocketAddr,
    log: Arc<Mutex<String>>,
}

impl Server {
    pub fn start(args: &[&str]) -> Self {
        Self::start_command(&mut blockspan(&[&["serve", "--listen", "127.0.0.1:0"], args].concat()))
    }

    pub fn start_command(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let log = Arc::new(Mutex::new(String::new()));
        let mut address = None;
        while address.is_none() {
            let mut line = String::new();
            if lines.read_line(&mut line).unwrap() == 0 {
                panic!("the server ended: {}", log.lock().unwrap());
            }
            address = line.split_once("http://").map(|(_, rest)| {
                rest.split(|c: char| c.is_whitespace() || c == '"').next().unwrap().parse().unwrap()
            });
            log.lock().unwrap().push_str(&line);
        }
        let writer = Arc::clone(&log);
        thread::spawn(move || {
            let mut line = String::new();
            while lines.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
                writer.lock().unwrap().push_str(&line);
                line.clear();
            }
        });
        Self { child, address: address.unwrap(), log }
    }

    /// What was logged.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until this was logged.
    pub fn wait_for_log(&self, text: &str) {
        wait_until(text, || self.log().contains(text));
    }

    pub fn connect(&self) -> Connection {
        Connection::to(self.address)
    }

    pub fn get(&self, path: &str) -> Response {
        self.connect().send("GET", path, &[], b"")
    }

    /// Posts JSON.
    pub fn post(&self, path: &str, body: &Value) -> Response {
        self.connect().send("POST", path, &[JSON], body.to_string().as_bytes())
    }

    /// The value of a series, labels included.
    pub fn metric(&self, series: &str) -> f64 {
        let text = self.get("/metrics").text();
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {series} in {text}")).parse().unwrap()
    }

    #[cfg(unix)]
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }

    /// Waits for its end.
    pub fn end(mut self) -> Output {
        wait_until("the end", || self.child.try_wait().unwrap().is_some());
        let status = self.child.wait().unwrap();
        let mut stdout = Vec::new();
        self.child.stdout.take().unwrap().read_to_end(&mut stdout).unwrap();
        Output { status, stdout, stderr: self.log().into_bytes() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn wait_until(what: &str, done: impl FnMut() -> bool) {
    let (begin, mut done) = (Instant::now(), done);
    while !done() {
        assert!(begin.elapsed() < PATIENCE, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

pub const JSON: (&str, &str) = ("Content-Type", "application/json");

/// A connection that stays open between requests.
pub struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    pub fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream: BufReader::new(stream) }
    }

    pub fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        self.begin(method, path, headers, body);
        self.response()
    }

    /// Sends a request; its response is not read yet.
    pub fn begin(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) {
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n");
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        if method != "GET" {
            request += &format!("Content-Length: {}\r\n", body.len());
        }
        let bytes = [request.as_bytes(), b"\r\n", body].concat();
        // The server may have closed the connection, and said why.
        let _ = self.try_write(&bytes);
    }

    pub fn write(&mut self, bytes: &[u8]) {
        self.try_write(bytes).unwrap();
    }

    pub fn try_write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    pub fn response(&mut self) -> Response {
        self.try_response().expect("a response before the end of the connection")
    }

    /// `None` if the connection ends before it.
    pub fn try_response(&mut self) -> Option<Response> {
        let mut line = String::new();
        self.stream.read_line(&mut line).ok().filter(|&bytes| bytes > 0)?;
        let status = line.split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = Vec::new();
        loop {
            line.clear();
            self.stream.read_line(&mut line).unwrap();
            match line.trim_end().split_once(": ") {
                Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.to_owned())),
                None => break,
            }
        }
        let mut response = Response { status, headers, body: Vec::new() };
        let length = response.header("content-length").map_or(0, |length| length.parse().unwrap());
        response.body.resize(length, 0);
        self.stream.read_exact(&mut response.body).unwrap();
        Some(response)
    }

    /// Whether the server closes the connection, without another byte.
    pub fn is_closed(&mut self) -> bool {
        matches!(self.stream.read(&mut [0]), Ok(0) | Err(_))
    }
}

#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    /// The JSON of a response that must be one.
    #[track_caller]
    pub fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The JSON of a response that must be a success.
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        self.json()
    }

    /// Demands what every error promises; returns its message.
    #[track_caller]
    pub fn error(&self, status: u16, kind: &str) -> String {
        let body = self.json();
        assert_eq!((self.status, body["error_type"].as_str()), (status, Some(kind)), "{body}");
        assert_eq!(body.as_object().unwrap().len(), 2, "{body}");
        assert_eq!(self.header("retry-after").is_some(), status == 429, "{self:?}");
        let message = body["error"].as_str().unwrap().to_owned();
        assert!(!message.is_empty() && !message.contains('\n'), "{message}");
        message
    }
}
