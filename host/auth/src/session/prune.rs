//! Deletes what sessions and sign-ins leave behind.

use std::time::Duration;

use behalf_host_db::{AuthTx, HostDb};
use behalf_queue::Workers;
use futures::future::BoxFuture;

use crate::options::AuthOptions;
use crate::store::{audit_entries, refresh_tokens, sent_letters, sessions};

/// How often it looks.
const PERIOD: Duration = Duration::from_mins(10);

/// How long used refresh tokens are kept. A thief's is recognised for as long.
const KEPT: Duration = Duration::from_hours(30 * 24);

/// How long it is kept what users did.
const AUDIT_KEPT: Duration = Duration::from_hours(90 * 24);

/// Rows of one transaction, so that nobody waits long for them.
const BATCH: i64 = 5_000;

/// Deletes used refresh tokens that are old, sessions that are over, letters that no limit counts, and old entries of the log.
pub(crate) fn prune(db: HostDb, options: &AuthOptions, workers: &mut Workers) {
    let options = options.clone();
    workers.every("prune-sessions", PERIOD, move || {
        let (db, options) = (db.clone(), options.clone());
        async move {
            // Each in transactions of its own, so that nobody waits for rows of one while another is looked through.
            in_batches(&db, |tx| {
                let options = options.clone();
                Box::pin(async move { sent_letters::prune(tx, &options, BATCH).await })
            })
            .await?;
            in_batches(&db, |tx| Box::pin(refresh_tokens::prune(tx, KEPT, BATCH))).await?;
            in_batches(&db, |tx| Box::pin(sessions::prune(tx, BATCH))).await?;
            in_batches(&db, |tx| Box::pin(audit_entries::prune(tx, AUDIT_KEPT, BATCH))).await
        }
    });
}

async fn in_batches<F>(db: &HostDb, prune: F) -> Result<(), sqlx::Error>
where
    F: for<'a> Fn(&'a mut AuthTx) -> BoxFuture<'a, Result<u64, sqlx::Error>>,
{
    loop {
        let mut tx = db.begin_auth().await?;
        let pruned = prune(&mut tx).await?;
        tx.commit().await?;
        if pruned < BATCH.unsigned_abs() {
            return Ok(());
        }
    }
}
