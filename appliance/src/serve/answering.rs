//! From jobs to replies: a place in the queue for each, in order, bounded.

use std::collections::VecDeque;
use std::sync::Arc;

use blockspan_reader::{Error, Job, Reply, Ticket};
use tokio::sync::OwnedSemaphorePermit;

use super::app::App;
use super::errors::ApiError;
use super::loaded::Loaded;

/// A job that was handed in, and its place in the queue. Dropping it cancels the job.
struct Pending {
    ticket: Ticket,
    _place: OwnedSemaphorePermit,
}

impl Pending {
    /// Waits for the reply, and counts it.
    async fn reply(mut self, app: &App) -> Result<Reply, Error> {
        let reply = (&mut self.ticket).await;
        if let Some(times) = self.ticket.times() {
            app.metrics.queue_durations.observe(times.waited.as_secs_f64());
            app.metrics.inference_durations.observe(times.read.as_secs_f64());
        }
        if let Ok(reply) = &reply {
            app.metrics.questions.inc();
            app.metrics.windows.inc_by(reply.windows as u64);
        }
        reply
    }
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
                Some(pending) => replies.push(pending.reply(app).await),
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
        replies.push(pending.reply(app).await);
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
