//! Sockets to listen on: systemd's, or those of `--listen`.

use core::net::SocketAddr;
use std::net::ToSocketAddrs;

use anyhow::{Result, anyhow, bail, ensure};
use tokio::net::{TcpListener, TcpSocket};

use crate::cli::Serve;

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;

/// The sockets, all of which only this machine reaches unless there is a key or `--no-auth`.
pub fn bind(args: &Serve) -> Result<Vec<TcpListener>> {
    let given = activated()?;
    if !given.is_empty() {
        for listener in &given {
            check(&format!("systemd's socket {}", address(listener)?), address(listener)?, args)?;
        }
        return Ok(given);
    }
    let mut listeners = Vec::new();
    for text in &args.listen {
        let addresses = text.to_socket_addrs().map_err(|error| {
            anyhow!("--listen {text}: {error}; give an address and a port, for example 127.0.0.1:8080")
        })?;
        for address in addresses {
            check(&format!("--listen {text}"), address, args)?;
            listeners.push(listen(address).map_err(|error| {
                anyhow!("--listen {text}: cannot listen on {address}: {error}; give another port, or end what uses it")
            })?);
        }
    }
    ensure!(
        !listeners.is_empty(),
        "--listen: no address; give an address and a port, for example 127.0.0.1:8080"
    );
    Ok(listeners)
}

/// The address that a socket is bound to.
pub fn address(listener: &TcpListener) -> Result<SocketAddr> {
    listener.local_addr().map_err(|error| anyhow!("a socket has no address: {error}; give --listen"))
}

/// Refuses an address that others reach, unless it is known who asks.
fn check(name: &str, address: SocketAddr, args: &Serve) -> Result<()> {
    if address.ip().to_canonical().is_loopback() || args.access.api_key_file.is_some() || args.access.no_auth
    {
        return Ok(());
    }
    bail!(
        "{name}: other machines could ask; give --api-key-file FILE, or --no-auth if something in front of this server \
         checks who asks"
    )
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // On Unix: a server that is started again does not wait for the old one's connections. On Windows it would let two
    // programs listen.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// What systemd hands over (`LISTEN_FDS`).
#[cfg(unix)]
fn activated() -> Result<Vec<TcpListener>> {
    let mut given = listenfd::ListenFd::from_env();
    let mut listeners = Vec::new();
    for index in 0..given.len() {
        let wrong =
            |error| anyhow!("systemd's socket {index}: {error}; give ListenStream= an address and a port");
        let Some(socket) = given.take_tcp_listener(index).map_err(wrong)? else { continue };
        socket.set_nonblocking(true).map_err(wrong)?;
        listeners.push(TcpListener::from_std(socket).map_err(wrong)?);
    }
    Ok(listeners)
}

#[cfg(not(unix))]
fn activated() -> Result<Vec<TcpListener>> {
    Ok(Vec::new())
}
