//! Accepts connections and speaks HTTP/1.1 on them.

use core::pin::pin;
use core::time::Duration;
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::app::App;
use super::errors::{ApiError, Kind};
use super::timed::{Timed, Timeouts, closing_response};

/// The longest head of a request, in bytes.
const MAX_HEADER_BYTES: usize = 32 << 10;

/// Connections beyond the limit that are told so at the same time; others are just closed.
const MAX_REFUSALS: usize = 64;

/// What all connections share.
pub struct Connections {
    app: Arc<App>,
    router: Router,
    timeouts: Timeouts,
    open: Arc<Semaphore>,
    most: usize,
    refusals: Arc<Semaphore>,
    /// Whether connections end after the request at hand.
    closing: watch::Receiver<bool>,
}

impl Connections {
    /// At most `most` at a time.
    pub fn new(
        app: Arc<App>,
        router: Router,
        timeouts: Timeouts,
        most: usize,
        closing: watch::Receiver<bool>,
    ) -> Self {
        let (open, refusals) = (Arc::new(Semaphore::new(most)), Arc::new(Semaphore::new(MAX_REFUSALS)));
        Self { app, router, timeouts, open, most, refusals, closing }
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        self.most.saturating_sub(self.open.available_permits())
    }

    /// Accepts connections until the server closes.
    pub async fn accept(self: Arc<Self>, listener: TcpListener) {
        let mut closing = self.closing.clone();
        loop {
            let accepted = tokio::select! {
                () = closed(&mut closing) => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => self.take(stream),
                // The client has given up meanwhile.
                Err(error) if is_the_clients(&error) => {}
                Err(error) => {
                    // Mostly a lack of file descriptors, which passes.
                    tracing::warn!("cannot accept connections: {error}; trying again");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    fn take(self: &Arc<Self>, stream: TcpStream) {
        match Arc::clone(&self.open).try_acquire_owned() {
            Ok(permit) => {
                self.app.metrics.connections.inc();
                tokio::spawn(Arc::clone(self).speak(stream, permit));
            }
            Err(_) => {
                self.app.metrics.connections_refused.inc();
                if let Ok(permit) = Arc::clone(&self.refusals).try_acquire_owned() {
                    tokio::spawn(refuse(stream, permit));
                }
            }
        }
    }

    async fn speak(self: Arc<Self>, stream: TcpStream, permit: OwnedSemaphorePermit) {
        // Responses are written in one piece; without this the kernel might wait for more.
        let _ = stream.set_nodelay(true);
        let stream = Timed::new(stream);
        let activity = stream.activity();
        let router = TowerToHyperService::new(self.router.clone());
        let service = service_fn(|request: Request<Incoming>| {
            let busy = activity.busy();
            let response = router.call(request.map(Body::new));
            async move {
                let response = response.await;
                drop(busy);
                response
            }
        });
        let mut http = http1::Builder::new();
        // `Timed` has the timeouts.
        http.header_read_timeout(None).max_header_size(MAX_HEADER_BYTES).max_buf_size(256 << 10);
        let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
        let mut too_slow = pin!(activity.too_slow(self.timeouts));
        let mut closing = self.closing.clone();
        let (mut expired, mut ending) = (false, false);
        let ended = loop {
            tokio::select! {
                ended = connection.as_mut() => break ended,
                () = too_slow.as_mut(), if !expired => {
                    activity.expire();
                    expired = true;
                }
                () = closed(&mut closing), if !ending => {
                    connection.as_mut().graceful_shutdown();
                    ending = true;
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!("connection: {error}");
        }
        self.app.metrics.connections.dec();
        drop(permit);
    }
}

async fn closed(closing: &mut watch::Receiver<bool>) {
    // Its sender lives until the server ends.
    let _ = closing.wait_for(|&closing| closing).await;
}

/// Errors of one connection, not of the socket.
fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Says that there are too many connections; then reads on for a moment, since closing with unread bytes would take the
/// words back.
async fn refuse(mut stream: TcpStream, _permit: OwnedSemaphorePermit) {
    let error = ApiError::new(Kind::Overloaded, "too many connections; try again later");
    let say = async {
        stream.write_all(&closing_response(&error, None)).await?;
        stream.shutdown().await?;
        let mut thrown_away = [0; 4096];
        for _ in 0..16 {
            if stream.read(&mut thrown_away).await? == 0 {
                break;
            }
        }
        io::Result::Ok(())
    };
    let _ = tokio::time::timeout(Duration::from_secs(1), say).await;
}
