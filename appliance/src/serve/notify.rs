//! What systemd is told (`sd_notify`), if it started the server with `Type=notify`.

#[cfg(unix)]
use sd_notify::NotifyState;

/// Questions are taken.
pub fn ready() {
    #[cfg(unix)]
    send(&[NotifyState::Ready]);
}

/// The model is being loaded again; [`ready`] ends that.
pub fn reloading() {
    #[cfg(unix)]
    match NotifyState::monotonic_usec_now() {
        Ok(now) => send(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!("cannot notify systemd: {error}"),
    }
}

/// The end has begun.
pub fn stopping() {
    #[cfg(unix)]
    send(&[NotifyState::Stopping]);
}

#[cfg(unix)]
fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!("cannot notify systemd: {error}");
    }
}
