//! Another model in the place of the one at work, without a request that notices.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::anyhow;
use tokio::sync::Mutex;
use tokio::time::{Duration, MissedTickBehavior, interval};

use super::app::App;
use super::auth::Keys;
use super::notify;
use crate::output::printable;

/// How often the file is looked at. Asking the system to tell of changes would not do on network file systems, nor where
/// a file's folder is a link that is changed, as in Kubernetes.
const LOOK: Duration = Duration::from_secs(1);

/// Loads the model's file again, and puts it to work if it is whole; one at a time.
#[derive(Default)]
pub struct Swap(Mutex<()>);

/// What tells that a file is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: SystemTime,
    bytes: u64,
    #[cfg(unix)]
    file: [u64; 2],
}

impl Swap {
    /// A model or an index that does not load is told in the log, and the old ones go on.
    pub async fn reload(&self, app: &Arc<App>) {
        let _one_at_a_time = self.0.lock().await;
        let worker = Arc::clone(app);
        let loaded = tokio::task::spawn_blocking(move || worker.loading.load()).await;
        // Its panic is an error like another.
        match loaded.unwrap_or_else(|error| Err(anyhow!("{error}; please report it"))) {
            Ok(loaded) => {
                let documents = loaded.corpus.as_ref().map(|corpus| corpus.index.documents());
                tracing::info!(model = loaded.name, bytes = loaded.bytes, documents, "another model at work");
                app.replace(loaded);
                app.metrics.swaps.inc();
            }
            Err(error) => {
                app.metrics.failed_swaps.inc();
                let error = printable(&format!("{error:#}"));
                tracing::error!("the model is not loaded, the old one goes on: {error}");
            }
        }
    }
}

/// Loads keys and model again at each SIGHUP.
#[cfg(unix)]
pub async fn on_hangup(
    app: Arc<App>,
    swap: Arc<Swap>,
    key_file: Option<std::path::PathBuf>,
    mut hangups: tokio::signal::unix::Signal,
) {
    while hangups.recv().await.is_some() {
        notify::reloading();
        if let Some(path) = &key_file {
            match Keys::read(path) {
                Ok(keys) => app.replace_keys(keys),
                Err(error) => tracing::error!("the keys are not loaded, the old ones go on: {error:#}"),
            }
        }
        if app.loading.files().is_empty() {
            tracing::info!("the model is no file that could be loaded again; name one with --model");
        } else {
            swap.reload(&app).await;
        }
        notify::ready();
    }
}

/// Loads model and index again when a file is another, and has been the same at two looks: one that is being written is
/// left alone.
pub async fn watch(app: Arc<App>, swap: Arc<Swap>) {
    let files = app.loading.files();
    // A file that is not there is about to be.
    let stamps = || files.iter().map(|path| stamp(path)).collect::<Option<Vec<Stamp>>>();
    let mut at_work = stamps();
    let mut last = at_work.clone();
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let now = stamps();
        if now.is_some() && now == last && now != at_work {
            at_work.clone_from(&now);
            swap.reload(&app).await;
        }
        last = now;
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = path.metadata().ok()?;
    Some(Stamp {
        modified: metadata.modified().ok()?,
        bytes: metadata.len(),
        #[cfg(unix)]
        file: {
            use std::os::unix::fs::MetadataExt;
            [metadata.dev(), metadata.ino()]
        },
    })
}
