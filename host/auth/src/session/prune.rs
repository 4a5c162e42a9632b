//! Deletes what sessions leave behind.

use std::time::Duration;

use behalf_host_db::HostDb;
use behalf_jobs::{Jobs, Next};

use crate::store::{refresh_tokens, sessions};

/// How often it looks.
const PERIOD: Duration = Duration::from_mins(10);

/// How long used refresh tokens are kept. A thief's is recognised for as long.
const KEPT: Duration = Duration::from_hours(30 * 24);

/// Deletes used refresh tokens that are old, and sessions that are over.
pub(crate) fn prune(db: HostDb, jobs: &Jobs) {
    jobs.every("prune-sessions", PERIOD, move || {
        let db = db.clone();
        async move {
            let mut tx = db.begin_auth().await?;
            refresh_tokens::prune(&mut tx, KEPT).await?;
            sessions::prune(&mut tx).await?;
            tx.commit().await.map(|()| Next::Continue)
        }
    });
}
