//! Hears of jobs that become ready.

use std::sync::Arc;

use behalf_host_db::HostDb;
use behalf_jobs::{Jobs, Stop as HostStop};
use behalf_problem::LogText as _;
use sqlx::postgres::PgListener;

use super::shared::Shared;

/// The channel of the trigger `count_jobs`.
const CHANNEL: &str = "behalf_jobs";

/// Starts it.
pub(super) fn start(shared: &Arc<Shared>, jobs: &Jobs) {
    let shared = Arc::clone(shared);
    jobs.spawn("job listener", |stop| async move {
        while !stop.is_requested() {
            tokio::select! {
                () = stop.requested() => return,
                () = hear(&shared) => {}
            }
            pause(&shared, &stop).await;
        }
    });
}

async fn pause(shared: &Shared, stop: &HostStop) {
    tokio::select! {
        () = stop.requested() => {}
        () = tokio::time::sleep(shared.options.poll) => {}
    }
}

/// Hears until the connection breaks. Hosts look by themselves as well, so nothing is lost meanwhile.
async fn hear(shared: &Shared) {
    let mut listener = match listen(shared.db()).await {
        Ok(listener) => listener,
        Err(error) => {
            tracing::debug!(error = error.log_text(), "cannot listen for jobs; looking for them instead");
            return;
        }
    };
    shared.wake_all();
    while let Ok(Some(notification)) = listener.try_recv().await {
        shared.wake(notification.payload());
    }
}

async fn listen(db: &HostDb) -> Result<PgListener, sqlx::Error> {
    let mut listener = db.listener().await?;
    listener.listen(CHANNEL).await?;
    Ok(listener)
}
