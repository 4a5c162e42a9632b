//! Hears that there is something to read. A notification says no more: any role may send one, so it can only wake.

use std::sync::Arc;
use std::time::Duration;

use behalf_host_db::HostDb;
use behalf_jobs::Jobs;
use behalf_problem::LogText as _;
use sqlx::postgres::PgListener;
use tokio::sync::Notify;

use crate::hosts::{self, Hosts};

/// The channel by which hosts hear of new rows, of other hosts and of stored messages.
const CHANNEL: &str = "behalf_realtime";

/// Until it listens again after its connection broke. Meanwhile readers look by themselves.
const PAUSE: Duration = Duration::from_millis(500);

/// Starts it.
pub(super) fn start(db: HostDb, hosts: Arc<Hosts>, rows: Arc<Notify>, jobs: &Jobs) {
    jobs.spawn("realtime listener", |stop| async move {
        while !stop.is_requested() {
            tokio::select! {
                () = stop.requested() => return,
                () = hear(&db, &hosts, &rows) => {}
            }
            tokio::select! {
                () = stop.requested() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    });
}

/// Hears until the connection breaks.
async fn hear(db: &HostDb, hosts: &Hosts, rows: &Notify) {
    let mut listener = match listen(db).await {
        Ok(listener) => listener,
        Err(error) => {
            tracing::debug!(
                error = error.log_text(),
                "cannot listen for messages of other hosts; looking for them instead"
            );
            return;
        }
    };
    hosts.look();
    rows.notify_one();
    while let Ok(Some(notification)) = listener.try_recv().await {
        if notification.channel() == hosts::CHANNEL {
            hosts.look();
        } else {
            rows.notify_one();
        }
    }
}

async fn listen(db: &HostDb) -> Result<PgListener, sqlx::Error> {
    let mut listener = db.listener().await?;
    listener.listen_all([CHANNEL, hosts::CHANNEL]).await?;
    Ok(listener)
}
