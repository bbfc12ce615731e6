//! `blockspan serve`: answers over HTTP.

mod answering;
mod app;
mod auth;
mod body;
mod connections;
mod errors;
mod front;
mod listen;
mod loaded;
mod logging;
mod metrics;
mod notify;
#[cfg(test)]
mod openapi;
mod request_id;
mod respond;
mod router;
mod routes;
mod shutdown;
mod swap;
mod timed;

use core::time::Duration;
use std::sync::Arc;

use anyhow::{Result, anyhow, ensure};
use blockspan_reader::cores;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

use self::app::{App, seconds};
use self::connections::Connections;
use self::loaded::Loading;
use self::shutdown::EndSignals;
use self::swap::Swap;
use self::timed::Timeouts;
use crate::cli::Serve;

/// Threads that speak HTTP, at most. They hardly work: what takes time is done by the reader's threads.
const MAX_HTTP_THREADS: usize = 4;

/// Serves until a signal.
pub fn run(args: &Serve) -> Result<()> {
    logging::start(&args.log);
    let loading = Loading::new(args)?;
    let loaded = loading.load()?;
    let app = Arc::new(App::new(args, loading, loaded)?);
    let runtime = runtime()?;
    runtime.block_on(serve(args, app))?;
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(())
}

fn runtime() -> Result<Runtime> {
    let threads = cores().min(MAX_HTTP_THREADS);
    let runtime = Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name("blockspan-http")
        .enable_all()
        .build();
    runtime.map_err(|error| anyhow!("cannot start {threads} threads: {error}; give the process more"))
}

async fn serve(args: &Serve, app: Arc<App>) -> Result<()> {
    let listeners = listen::bind(args)?;
    let signals =
        EndSignals::new().map_err(|error| anyhow!("cannot wait for signals: {error}; start it again"))?;
    let timeouts =
        Timeouts { header: seconds(args.timeouts.header_timeout), idle: seconds(args.timeouts.idle_timeout) };
    let (close, closing) = watch::channel(false);
    let most = most_connections(args.limits.max_connections);
    let router = router::router(Arc::clone(&app));
    let connections = Arc::new(Connections::new(Arc::clone(&app), router, timeouts, most, closing));
    let loaded = app.loaded();
    let reader = loaded.reader();
    tracing::info!(
        model = loaded.name,
        sessions = reader.sessions(),
        threads_per_session = reader.threads_per_session(),
        isa = reader.isa().name(),
        "model loaded"
    );
    drop(loaded);
    for listener in listeners {
        let address = listen::address(&listener)?;
        tracing::info!(%address, "listening on http://{address}");
        tokio::spawn(Arc::clone(&connections).accept(listener));
    }
    reload(args, &app)?;
    notify::ready();
    shutdown::run(signals, app, connections, close, seconds(args.timeouts.grace_period)).await;
    Ok(())
}

/// Has the model loaded again when that is asked for.
fn reload(args: &Serve, app: &Arc<App>) -> Result<()> {
    let swap = Arc::new(Swap::default());
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let hangups = signal(SignalKind::hangup())
            .map_err(|error| anyhow!("cannot wait for signals: {error}; start it again"))?;
        let key_file = args.access.api_key_file.clone();
        tokio::spawn(swap::on_hangup(Arc::clone(app), Arc::clone(&swap), key_file, hangups));
    }
    if args.watch {
        ensure!(!app.loading.files().is_empty(), "--watch: the model is no file; name one with --model FILE");
        tokio::spawn(swap::watch(Arc::clone(app), swap));
    }
    Ok(())
}

/// As many as asked for, or as the limit on open files allows, which is raised if that is possible.
fn most_connections(asked: usize) -> usize {
    /// For the model, logs, sockets, and what the system takes.
    #[cfg(unix)]
    const OTHER_FILES: u64 = 64;
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        let needed = asked as u64 + OTHER_FILES;
        let maximum = limit.maximum.unwrap_or(u64::MAX);
        if limit.current.is_some_and(|current| current < needed) {
            let raised = Rlimit { current: Some(needed.min(maximum)), maximum: limit.maximum };
            let _ = setrlimit(Resource::Nofile, raised);
        }
        let current = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let most = usize::try_from(current.saturating_sub(OTHER_FILES)).unwrap_or(usize::MAX).max(1);
        if most < asked {
            tracing::warn!(
                "--max-connections {asked}: the limit on open files (ulimit -n) leaves room for {most}; raise that"
            );
        }
        asked.min(most)
    }
    #[cfg(not(unix))]
    asked
}
