//! From SIGTERM to the end.

use core::time::Duration;
use std::io;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::app::App;
use super::connections::Connections;
use super::notify;

/// How often it is looked whether all is done.
const LOOK: Duration = Duration::from_millis(10);

/// How long connections may take to end once their requests are answered.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// The signals that end the server.
pub struct EndSignals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl EndSignals {
    /// From now on they do not end the process by themselves.
    #[cfg(unix)]
    pub fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// From now on they do not end the process by themselves.
    #[cfg(not(unix))]
    pub fn new() -> io::Result<Self> {
        Ok(Self {})
    }

    /// Waits for one; returns its name.
    #[cfg(unix)]
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }

    /// Waits for one; returns its name.
    #[cfg(not(unix))]
    pub async fn next(&mut self) -> &'static str {
        let _ = tokio::signal::ctrl_c().await;
        "Ctrl-C"
    }
}

/// Waits for a signal; then refuses questions, answers those that were taken, and closes the connections. A second signal,
/// or the end of the grace period, cuts that short.
pub async fn run(
    mut signals: EndSignals,
    app: Arc<App>,
    connections: Arc<Connections>,
    closing: watch::Sender<bool>,
    grace: Duration,
) {
    let signal = signals.next().await;
    app.drain();
    notify::stopping();
    tracing::info!(signal, in_flight = app.in_flight(), "shutting down");
    tokio::select! {
        () = until(grace, || app.in_flight() == 0) => {}
        signal = signals.next() => tracing::warn!(signal, "not waiting for answers any more"),
    }
    if app.in_flight() > 0 {
        tracing::warn!(in_flight = app.in_flight(), "questions are left without an answer");
    }
    let _ = closing.send(true);
    let last_words = if app.in_flight() > 0 { Duration::ZERO } else { LAST_WORDS };
    until(last_words, || connections.count() == 0).await;
    tracing::info!("shut down");
}

async fn until(limit: Duration, done: impl Fn() -> bool) {
    let end = Instant::now() + limit;
    while !done() && Instant::now() < end {
        sleep(LOOK).await;
    }
}
