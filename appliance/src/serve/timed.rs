//! A connection that ends when its client is too slow.
//!
//! It also says in JSON what the library says without a body: that a request is no HTTP.
//!
//! The library has one time limit, for the head of a request, which counts the wait between two requests as well. Here the
//! two are apart, and a client that accepts no response has a limit, too.

use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep_until};

use super::errors::{ApiError, Kind};

/// How long a client may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For the head of a request, from its first byte; and for the first byte of a connection.
    pub header: Duration,
    /// From one request to the next; and to accept more of a response.
    pub idle: Duration,
}

/// What a connection does; shared by its stream, its handlers and whoever watches the time.
#[derive(Clone, Debug)]
pub struct Activity(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    phase: Phase,
    since: Instant,
    /// Since when the client has accepted nothing.
    stalled: Option<Instant>,
    /// The time is over.
    expired: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Between requests.
    Idle,
    /// In the head of a request.
    Head,
    /// In a handler, which limits the time for the body itself.
    Busy,
}

/// A request that is being handled, until the drop.
pub struct Busy(Activity);

impl Activity {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request's head is there.
    pub fn busy(&self) -> Busy {
        self.state().enter(Phase::Busy);
        Busy(self.clone())
    }

    /// From now on reads and writes fail.
    pub fn expire(&self) {
        self.state().expired = true;
    }

    /// Waits until the client has taken too long.
    pub async fn too_slow(&self, timeouts: Timeouts) {
        // Whatever begins meanwhile has at least as long: it is early enough to look again then.
        let shortest = timeouts.header.min(timeouts.idle);
        loop {
            let now = Instant::now();
            let deadline = self.state().deadline(timeouts);
            match deadline {
                Some(deadline) if deadline <= now => return,
                deadline => {
                    let look = now + shortest;
                    sleep_until(deadline.map_or(look, |deadline| deadline.min(look))).await;
                }
            }
        }
    }
}

impl State {
    fn enter(&mut self, phase: Phase) {
        (self.phase, self.since) = (phase, Instant::now());
    }

    fn deadline(&self, timeouts: Timeouts) -> Option<Instant> {
        let reading = match self.phase {
            Phase::Idle => Some(self.since + timeouts.idle),
            Phase::Head => Some(self.since + timeouts.header),
            Phase::Busy => None,
        };
        let writing = self.stalled.map(|since| since + timeouts.idle);
        reading.into_iter().chain(writing).min()
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.state().enter(Phase::Idle);
    }
}

/// A stream whose activity is known.
pub struct Timed<S> {
    stream: S,
    activity: Activity,
}

impl<S> Timed<S> {
    /// Begins with the time for a head.
    pub fn new(stream: S) -> Self {
        let state = State { phase: Phase::Head, since: Instant::now(), stalled: None, expired: false };
        Self { stream, activity: Activity(Arc::new(Mutex::new(state))) }
    }

    /// For its handlers, and for whoever watches the time.
    pub fn activity(&self) -> Activity {
        self.activity.clone()
    }

    fn written<T>(&self, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        let mut state = self.activity.state();
        if result.is_pending() {
            if state.expired {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            state.stalled.get_or_insert_with(Instant::now);
            return result;
        }
        state.stalled = None;
        if state.phase == Phase::Idle {
            // A client that takes a long response is not idle.
            state.since = Instant::now();
        }
        result
    }
}

impl<S: AsyncWrite + Unpin> Timed<S> {
    /// Whether the library says that it cannot read the head of a request; then the client has been told so in our words.
    fn refuses(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> bool {
        // No handler has seen that request. An earlier response may still be on its way, but those of errors have a body.
        let library = self.activity.state().phase == Phase::Head;
        let Some(response) = library.then(|| refusal(bytes)).flatten() else { return false };
        // As far as it gets; the connection ends in any case.
        let _ = Pin::new(&mut self.stream).poll_write(context, &response);
        true
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Timed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        let result = Pin::new(&mut this.stream).poll_read(context, buffer);
        let mut state = this.activity.state();
        if state.expired && state.phase != Phase::Busy {
            if state.phase == Phase::Head {
                // As far as it gets; the connection ends in any case.
                let message = "the head of the request took too long; send it at once";
                let response = closing_response(&ApiError::new(Kind::Timeout, message), None);
                let _ = Pin::new(&mut this.stream).poll_write(context, &response);
            }
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        if state.phase == Phase::Idle && buffer.filled().len() > before {
            state.enter(Phase::Head);
        }
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Timed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.refuses(context, bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        let result = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Some(first) = slices.first()
            && self.refuses(context, first)
        {
            return Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()));
        }
        let result = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.written(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// What to say in place of the library's response to a head that it cannot read; nothing if `bytes` are another response.
fn refusal(bytes: &[u8]) -> Option<Vec<u8>> {
    let response = core::str::from_utf8(bytes).ok()?;
    let status = StatusCode::from_bytes(response.strip_prefix("HTTP/1.1 ")?.get(..3)?.as_bytes()).ok()?;
    let without_body = response.contains("\r\ncontent-length: 0\r\n");
    let error = match status {
        _ if !without_body => return None,
        StatusCode::BAD_REQUEST => ApiError::new(Kind::Malformed, "this is not HTTP/1.1; see /openapi.json"),
        StatusCode::URI_TOO_LONG | StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
            ApiError::new(Kind::TooLarge, "the head of the request is too long; send a shorter one")
        }
        _ => return None,
    };
    Some(closing_response(&error, Some(status)))
}

/// A whole response outside of the library's machinery, after which the connection is closed; with the status of the error,
/// if there is no other.
pub fn closing_response(error: &ApiError, status: Option<StatusCode>) -> Vec<u8> {
    let (status, body) = (status.unwrap_or(error.kind().status()), error.body());
    let retry = if error.kind() == Kind::Overloaded { "retry-after: 1\r\n" } else { "" };
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{retry}connection: \
         close\r\n\r\n{body}"
    )
    .into_bytes()
}
