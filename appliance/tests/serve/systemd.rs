//! Sockets from systemd, and what systemd is told.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::Command;

use crate::common::{Server, blockspan};

/// With the socket as file descriptor 3, as systemd hands it over.
fn activated(socket: TcpListener, args: &str) -> Command {
    let mut command = Command::new("sh");
    let script = format!(
        "exec 3<&0 0</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec '{}' serve {args}",
        env!("CARGO_BIN_EXE_blockspan")
    );
    command.args(["-c", &script]).stdin(OwnedFd::from(socket));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("BLOCKSPAN_") {
            command.env_remove(name);
        }
    }
    command
}

#[test]
fn systemds_socket_is_taken_instead_of_an_address() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    // A client that came before the server was there.
    let mut early = crate::common::Connection::to(address);
    early.begin("GET", "/healthz", &[], b"");
    let server = Server::start_command(&mut activated(socket, "--listen 127.0.0.1:1"));
    assert_eq!(server.address, address);
    early.response().ok();
    server.get("/healthz").ok();
}

#[test]
fn systemds_socket_needs_a_key_where_others_reach_it() {
    let socket = TcpListener::bind("0.0.0.0:0").unwrap();
    let output = activated(socket, "").output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("systemd's socket 0.0.0.0:") && stderr.contains("--api-key-file"), "{stderr}");
}

#[test]
fn systemd_is_told_of_start_reload_and_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(core::time::Duration::from_secs(120))).unwrap();
    let message = || {
        let mut bytes = [0; 4096];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    };
    let mut command = blockspan(&["serve", "--listen", "127.0.0.1:0"]);
    let server = Server::start_command(command.env("NOTIFY_SOCKET", &path));
    assert_eq!(message().trim(), "READY=1");
    server.signal("HUP");
    let reloading = message();
    assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
    assert_eq!(message().trim(), "READY=1");
    server.signal("TERM");
    assert_eq!(message().trim(), "STOPPING=1");
    assert!(server.end().status.success());
}
