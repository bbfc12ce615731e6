//! From jobs to replies: a place in the queue for each, in order, bounded.

use std::collections::VecDeque;
use std::sync::Arc;

use blockspan_reader::{Error, Job, Reply, Ticket};
use tokio::sync::OwnedSemaphorePermit;

use super::app::App;
use super::errors::{ApiError, Kind};
use super::loaded::Loaded;

/// A job that was handed in, and its place in the queue. Dropping it cancels the job.
struct Pending {
    ticket: Ticket,
    _place: OwnedSemaphorePermit,
}

/// The replies to a request's jobs, in their order.
///
/// A request is taken if there is a place for its first job at this moment; else it is refused, whether it has one
/// question or many. Its other jobs wait for places, and it has at most two for each session at a time, so that a request
/// with many questions leaves room for others. If the client leaves, this future is dropped, and with it all that is left
/// to do.
///
/// # Errors
/// 429.
pub async fn answer_all(
    app: &App,
    loaded: &Loaded,
    jobs: impl Iterator<Item = Job>,
) -> Result<Vec<Result<Reply, Error>>, ApiError> {
    let place = || Arc::clone(&app.places).try_acquire_owned();
    let mut first = Some(place().map_err(|_| overloaded(app))?);
    let ahead_at_most = 2 * loaded.reader().sessions();
    let mut ahead = VecDeque::<Pending>::new();
    let mut replies = Vec::new();
    let mut arrived = |app: &App, reply: Result<Reply, Error>| {
        if let Ok(reply) = &reply {
            app.metrics.questions.inc();
            app.metrics.windows.inc_by(reply.windows as u64);
        }
        replies.push(reply);
    };
    for job in jobs {
        let place = loop {
            if let Some(place) = first.take() {
                break place;
            }
            if ahead.len() < ahead_at_most
                && let Ok(place) = place()
            {
                break place;
            }
            match ahead.pop_front() {
                Some(pending) => arrived(app, pending.ticket.await),
                // Behind other requests, in turn.
                None => match Arc::clone(&app.places).acquire_owned().await {
                    Ok(place) => break place,
                    Err(_) => return Err(overloaded(app)),
                },
            }
        };
        // The reader's queue has as many places.
        let ticket = loaded.reader().try_submit(job).map_err(|_| overloaded(app))?;
        ahead.push_back(Pending { ticket, _place: place });
    }
    for pending in ahead {
        arrived(app, pending.ticket.await);
    }
    Ok(replies)
}

/// The reply to one job.
///
/// # Errors
/// 429; 422 or 500 for what the reader says.
pub async fn answer_one(app: &App, loaded: &Loaded, job: Job) -> Result<Reply, ApiError> {
    let replies = answer_all(app, loaded, core::iter::once(job)).await?;
    let reply = replies.into_iter().next().unwrap_or(Err(Error::Closed));
    reply.map_err(|error| ApiError::of_reader(&error, ""))
}

fn overloaded(app: &App) -> ApiError {
    app.metrics.overloaded.inc();
    ApiError::overloaded()
}

/// Refuses what a damaged model replies. Any passage has a span whose score is a number, unless the logits are none.
///
/// # Errors
/// 500.
pub fn check_numbers(reply: &Reply, null_threshold: f32) -> Result<(), ApiError> {
    crate::answering::check_numbers(reply, null_threshold)
        .map_err(|error| ApiError::new(Kind::Internal, error.to_string()))
}
