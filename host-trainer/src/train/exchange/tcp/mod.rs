//! Workers that are connected by TCP, each with each.

mod meeting;

use core::time::Duration;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;

use anyhow::{Result, anyhow};
use socket2::{SockRef, TcpKeepalive};

use super::transport::Transport;
pub(super) use meeting::Meeting;

/// After so long without a word from its machine a worker counts as lost. (The end of a process alone is told by its machine
/// at once.)
const SILENCE: Duration = Duration::from_secs(30);
/// Between two questions whether a machine that says nothing is still there.
const PAUSE: Duration = Duration::from_secs(5);

/// The connections of one worker.
pub(in crate::train) struct Tcp {
    rank: usize,
    /// By rank; none to itself.
    streams: Vec<Option<TcpStream>>,
}

impl Tcp {
    /// Connections by rank, none to the worker `rank` itself.
    ///
    /// # Errors
    /// A system that refuses their settings.
    fn new(rank: usize, streams: Vec<Option<TcpStream>>) -> Result<Self> {
        for stream in streams.iter().flatten() {
            stream.set_nodelay(true)?;
            stream.set_read_timeout(None)?;
            let keepalive = TcpKeepalive::new().with_time(SILENCE - 4 * PAUSE).with_interval(PAUSE);
            #[cfg(not(windows))]
            let keepalive = keepalive.with_retries(4);
            let socket = SockRef::from(stream);
            socket.set_tcp_keepalive(&keepalive)?;
            // Keepalive asks only where nothing is under way.
            #[cfg(any(target_os = "linux", target_os = "android"))]
            socket.set_tcp_user_timeout(Some(SILENCE))?;
        }
        Ok(Tcp { rank, streams })
    }

    /// Sends to every worker what `send` gives for it and receives a part of `receive` from each, all at once.
    fn swap<'s>(&mut self, send: impl Fn(usize) -> &'s [u8], receive: &mut [u8]) -> Result<()> {
        let part = receive.len() / self.streams.len();
        if part == 0 {
            return Ok(());
        }
        let own = self.rank;
        thread::scope(|scope| {
            let mut both = Vec::new();
            for ((worker, stream), part) in self.streams.iter().enumerate().zip(receive.chunks_mut(part)) {
                let bytes = send(worker);
                match stream {
                    Some(stream) => {
                        let (mut sender, mut receiver) = (stream, stream);
                        both.push((worker, scope.spawn(move || sender.write_all(bytes))));
                        both.push((worker, scope.spawn(move || receiver.read_exact(part))));
                    }
                    None => part.copy_from_slice(bytes),
                }
            }
            // All of them end before the first failure is told: whoever lives gets its bytes.
            let mut result = Ok(());
            for (worker, thread) in both {
                let done = thread.join().unwrap_or_else(|_| Err(std::io::Error::other("a thread panicked")));
                if let (Err(error), true) = (done, result.is_ok()) {
                    result = Err(lost(own, worker, &error));
                }
            }
            result
        })
    }
}

/// What a failure to talk to `worker` means.
fn lost(own: usize, worker: usize, error: &std::io::Error) -> anyhow::Error {
    let why = match error.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
            "it ended".to_owned()
        }
        ErrorKind::TimedOut => format!("its machine said nothing for {} s", SILENCE.as_secs()),
        _ => error.to_string(),
    };
    anyhow!(
        "worker {own}: worker {worker} is lost ({why}); start all workers again with --resume to go on from the last \
         checkpoint"
    )
}

impl Transport for Tcp {
    fn rank(&self) -> usize {
        self.rank
    }

    fn workers(&self) -> usize {
        self.streams.len()
    }

    fn all_to_all(&mut self, send: &[u8], receive: &mut [u8]) -> Result<()> {
        let part = send.len() / self.streams.len();
        self.swap(|worker| &send[worker * part..][..part], receive)
    }

    fn all_gather(&mut self, send: &[u8], receive: &mut [u8]) -> Result<()> {
        self.swap(|_| send, receive)
    }
}
