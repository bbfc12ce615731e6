//! How workers find each other: all come to worker 0, which tells each where the others listen.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use super::Tcp;
use crate::train::exchange::place::Place;

/// The first bytes of every connection.
const MAGIC: [u8; 8] = *b"bspan-w1";
/// Between two looks for a worker that has not come.
const PAUSE: Duration = Duration::from_millis(20);
/// A stranger that says nothing holds the others up no longer than this.
const HELLO: Duration = Duration::from_secs(5);

/// The place where workers meet.
pub(in crate::train) struct Meeting {
    /// Worker 0 listens here.
    listener: Option<TcpListener>,
    address: (String, u16),
}

/// What a worker says first.
#[derive(Clone, Copy)]
struct Hello {
    key: u64,
    workers: u32,
    rank: u32,
    /// Where it listens itself.
    port: u16,
}

impl Hello {
    const LEN: usize = MAGIC.len() + 18;

    fn write(self, stream: &mut TcpStream) -> io::Result<()> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.key.to_le_bytes());
        bytes.extend(self.workers.to_le_bytes());
        bytes.extend(self.rank.to_le_bytes());
        bytes.extend(self.port.to_le_bytes());
        stream.write_all(&bytes)
    }

    /// What a worker says; nothing from a stranger.
    fn read(stream: &mut TcpStream) -> Option<Self> {
        stream.set_nonblocking(false).ok()?;
        stream.set_read_timeout(Some(HELLO)).ok()?;
        let mut bytes = [0; Self::LEN];
        stream.read_exact(&mut bytes).ok()?;
        let rest = bytes.strip_prefix(&MAGIC)?;
        let (key, rest) = rest.split_first_chunk()?;
        let (workers, rest) = rest.split_first_chunk()?;
        let (rank, rest) = rest.split_first_chunk()?;
        Some(Hello {
            key: u64::from_le_bytes(*key),
            workers: u32::from_le_bytes(*workers),
            rank: u32::from_le_bytes(*rank),
            port: u16::from_le_bytes(rest.try_into().ok()?),
        })
    }
}

impl Meeting {
    /// Worker 0 begins to listen, at any free port for port 0.
    ///
    /// # Errors
    /// An address that cannot be listened at; the message tells the remedy.
    pub fn open(rank: usize, host: &str, port: u16) -> Result<Self> {
        if rank > 0 {
            return Ok(Meeting { listener: None, address: (host.to_owned(), port) });
        }
        let listener = match TcpListener::bind((host, port)) {
            // A name that stands for this machine but is none of its addresses, as before a gateway.
            Err(error) if error.kind() == ErrorKind::AddrNotAvailable => TcpListener::bind(("0.0.0.0", port)),
            other => other,
        };
        let listener = listener.with_context(|| {
            format!("worker 0: cannot listen at {host} port {port}; give another MASTER_ADDR or MASTER_PORT")
        })?;
        let port = listener.local_addr()?.port();
        Ok(Meeting { listener: Some(listener), address: (host.to_owned(), port) })
    }

    /// Where worker 0 listens.
    pub fn port(&self) -> u16 {
        self.address.1
    }

    /// Connects a worker to all others. `check` is asked while it waits.
    ///
    /// # Errors
    /// Workers that have not come after `patience`, or that are none of the same run; what `check` fails with.
    pub fn connect(
        self,
        place: &Place,
        patience: Duration,
        mut check: impl FnMut() -> Result<()>,
    ) -> Result<Tcp> {
        let mut streams: Vec<Option<TcpStream>> = (0..place.workers).map(|_| None).collect();
        let wait = Wait { until: Instant::now() + patience, patience, place };
        let hello = Hello {
            key: place.key,
            workers: u32::try_from(place.workers)?,
            rank: u32::try_from(place.rank)?,
            port: 0,
        };
        match &self.listener {
            Some(listener) => {
                let ports = wait.accept(listener, 1, &mut streams, &mut check)?;
                let mut list = Vec::new();
                for (stream, port) in streams.iter().zip(ports) {
                    list.push((stream.as_ref().map(TcpStream::peer_addr).transpose()?, port));
                }
                for stream in streams.iter_mut().flatten() {
                    write_list(stream, &list)?;
                }
            }
            None => {
                let (host, port) = (&self.address.0, self.address.1);
                let mut first = wait.reach(|| (host.as_str(), port).to_socket_addrs(), &mut check)?;
                // Where worker 0 was reached from, the others can reach this one too.
                let listener = TcpListener::bind((first.local_addr()?.ip(), 0))?;
                let hello = Hello { port: listener.local_addr()?.port(), ..hello };
                hello.write(&mut first)?;
                first.set_read_timeout(Some(patience))?;
                let list = read_list(&mut first, place.workers).with_context(|| {
                    format!(
                        "worker {}: worker 0 at {host} port {port} did not take it in; start all workers with the same \
                         options and environment",
                        place.rank
                    )
                })?;
                for (worker, address) in list.iter().enumerate().take(place.rank).skip(1) {
                    let mut stream = wait.reach(|| Ok(core::iter::once(*address)), &mut check)?;
                    hello.write(&mut stream)?;
                    streams[worker] = Some(stream);
                }
                streams[0] = Some(first);
                wait.accept(&listener, place.rank + 1, &mut streams, &mut check)?;
            }
        }
        Tcp::new(place.rank, streams)
    }
}

/// How long to wait, and what for.
struct Wait<'p> {
    until: Instant,
    patience: Duration,
    place: &'p Place,
}

impl Wait<'_> {
    /// Takes in all workers from number `first` on. Returns the ports where each listens, by rank.
    fn accept(
        &self,
        listener: &TcpListener,
        first: usize,
        streams: &mut [Option<TcpStream>],
        check: &mut impl FnMut() -> Result<()>,
    ) -> Result<Vec<u16>> {
        let mut ports = vec![0; streams.len()];
        listener.set_nonblocking(true)?;
        while let Some(missing) = (first..streams.len()).find(|&worker| streams[worker].is_none()) {
            match listener.accept() {
                Ok((mut stream, _)) => {
                    let Some(hello) = Hello::read(&mut stream) else { continue };
                    let worker = hello.rank as usize;
                    if hello.key != self.place.key {
                        continue;
                    }
                    ensure!(
                        hello.workers as usize == self.place.workers,
                        "worker {worker} was started as one of {}, worker {} as one of {}",
                        hello.workers,
                        self.place.rank,
                        self.place.workers
                    );
                    let free = (first..streams.len()).contains(&worker) && streams[worker].is_none();
                    ensure!(free, "two workers were started with the number {worker}");
                    (streams[worker], ports[worker]) = (Some(stream), hello.port);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    check()?;
                    ensure!(
                        Instant::now() < self.until,
                        "worker {}: worker {missing} of {} has not come after {} s; start all workers, with the same \
                         MASTER_ADDR and MASTER_PORT",
                        self.place.rank,
                        self.place.workers,
                        self.patience.as_secs()
                    );
                    thread::sleep(PAUSE);
                }
                Err(error) => return Err(error).context("cannot listen for the other workers"),
            }
        }
        Ok(ports)
    }

    /// Connects to the first of these addresses that answers.
    fn reach<A: Iterator<Item = SocketAddr>>(
        &self,
        addresses: impl Fn() -> io::Result<A>,
        check: &mut impl FnMut() -> Result<()>,
    ) -> Result<TcpStream> {
        loop {
            let mut failure = None;
            match addresses() {
                Ok(addresses) => {
                    for address in addresses {
                        match TcpStream::connect_timeout(&address, HELLO) {
                            Ok(stream) => return Ok(stream),
                            Err(error) => failure = Some((address.to_string(), error)),
                        }
                    }
                }
                Err(error) => failure = Some(("MASTER_ADDR".into(), error)),
            }
            check()?;
            if Instant::now() >= self.until {
                let (address, error) =
                    failure.unwrap_or_else(|| ("MASTER_ADDR".into(), ErrorKind::NotFound.into()));
                bail!(
                    "worker {}: cannot reach worker 0 at {address} ({error}); start it, or mend MASTER_ADDR and \
                     MASTER_PORT",
                    self.place.rank
                );
            }
            thread::sleep(PAUSE);
        }
    }
}

/// Tells a worker where each listens: for each its kind of address, the address and the port.
fn write_list(stream: &mut TcpStream, list: &[(Option<SocketAddr>, u16)]) -> io::Result<()> {
    let mut bytes = Vec::new();
    for (address, port) in list {
        match address.map(|address| address.ip()) {
            Some(IpAddr::V4(ip)) => bytes.extend(ip.to_ipv6_mapped().octets()),
            Some(IpAddr::V6(ip)) => bytes.extend(ip.octets()),
            None => bytes.extend([0; 16]),
        }
        bytes.extend(port.to_le_bytes());
    }
    stream.write_all(&bytes)
}

fn read_list(stream: &mut TcpStream, workers: usize) -> io::Result<Vec<SocketAddr>> {
    let mut bytes = vec![0; 18 * workers];
    stream.read_exact(&mut bytes)?;
    let address = |bytes: &[u8; 18]| {
        let [ip @ .., low, high] = *bytes;
        SocketAddr::new(IpAddr::from(ip).to_canonical(), u16::from_le_bytes([low, high]))
    };
    Ok(bytes.as_chunks::<18>().0.iter().map(address).collect())
}
