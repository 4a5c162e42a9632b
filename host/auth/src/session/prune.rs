//! Deletes what sessions and sign-ins leave behind.

use std::time::Duration;

use behalf_host_db::HostDb;
use behalf_jobs::{Jobs, Next};

use crate::options::AuthOptions;
use crate::store::{audit_entries, refresh_tokens, sent_letters, sessions};

/// How often it looks.
const PERIOD: Duration = Duration::from_mins(10);

/// How long used refresh tokens are kept. A thief's is recognised for as long.
const KEPT: Duration = Duration::from_hours(30 * 24);

/// How long it is kept what users did.
const AUDIT_KEPT: Duration = Duration::from_hours(90 * 24);

/// Deletes used refresh tokens that are old, sessions that are over, letters that no limit counts, and old entries of the log.
pub(crate) fn prune(db: HostDb, options: &AuthOptions, jobs: &Jobs) {
    let options = options.clone();
    jobs.every("prune-sessions", PERIOD, move || {
        let (db, options) = (db.clone(), options.clone());
        async move {
            // Each in a transaction of its own, so that nobody waits for rows of one while another is looked through.
            let mut tx = db.begin_auth().await?;
            sent_letters::prune(&mut tx, &options).await?;
            tx.commit().await?;
            let mut tx = db.begin_auth().await?;
            refresh_tokens::prune(&mut tx, KEPT).await?;
            sessions::prune(&mut tx).await?;
            tx.commit().await?;
            let mut tx = db.begin_auth().await?;
            audit_entries::prune(&mut tx, AUDIT_KEPT).await?;
            tx.commit().await.map(|()| Next::Continue)
        }
    });
}
