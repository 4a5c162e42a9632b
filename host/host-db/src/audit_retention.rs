//! Deletes old rows of the audit log and of usage. The host's login may not delete any: functions of the database's owner do, and they refuse what
//! is younger than a day, or a month.

use std::time::Instant;

use crate::HostDb;
use crate::batches::{BATCH, rest_after};

/// Deletes rows of the audit log that are older than so many days.
pub(crate) async fn prune(db: &HostDb, days: u32) -> Result<(), sqlx::Error> {
    let days = i32::try_from(days.max(1)).unwrap_or(i32::MAX);
    let mut last = None::<String>;
    loop {
        let began = Instant::now();
        let (gone, next) = batch(db, "select gone, last from behalf.prune_tool_calls($1, $2, $3)", days, last).await?;
        if gone < BATCH {
            break;
        }
        last = next;
        rest_after(began).await;
    }
    let mut last = None::<String>;
    loop {
        let began = Instant::now();
        let (gone, next) =
            batch(db, "select gone, last from behalf.prune_audit_events($1, $2, $3)", days, last).await?;
        if gone < BATCH {
            return Ok(());
        }
        last = next;
        rest_after(began).await;
    }
}

/// Deletes what runs used before so many days.
pub(crate) async fn prune_usage(db: &HostDb, days: u32) -> Result<(), sqlx::Error> {
    let days = i32::try_from(days).unwrap_or(i32::MAX);
    loop {
        let began = Instant::now();
        let mut tx = db.begin_as_host().await?;
        let gone: i64 =
            sqlx::query_scalar("select behalf.prune_usage($1, $2)").bind(days).bind(BATCH).fetch_one(&mut *tx).await?;
        tx.commit().await?;
        if gone < BATCH {
            return Ok(());
        }
        rest_after(began).await;
    }
}

/// Deletes at most [`BATCH`] rows after the one with this key. Returns how many, and the key of the last one.
async fn batch(
    db: &HostDb,
    statement: &'static str,
    days: i32,
    after: Option<String>,
) -> Result<(i64, Option<String>), sqlx::Error> {
    let mut tx = db.begin_as_host().await?;
    let batch = sqlx::query_as(statement).bind(days).bind(after).bind(BATCH).fetch_one(&mut *tx).await?;
    tx.commit().await?;
    Ok(batch)
}
