//! Table `behalf.schedules`: when work of the host's own is added next.

use std::time::Duration;

use behalf_host_db::{HostDb, HostTx};
use serde_json::json;

use super::jobs;
use crate::queue::{JobId, NewJob};

/// The lane of the host's own work.
pub(crate) const HOST_LANE: &str = "host";

/// Attempts before such work waits for its next time.
const ATTEMPTS: u32 = 3;

/// A period that became shorter counts from now on.
const ENSURE: &str = "
    insert into behalf.schedules (kind, next_at) values ($1, now())
    on conflict (kind) do update set next_at = least(schedules.next_at, now() + $2 * interval '1 second')
        where schedules.next_at > now() + $2 * interval '1 second'";

/// Of two hosts that notice at once, the second finds the time moved.
const TAKE: &str = "
    update behalf.schedules set last_at = now(), next_at = now() + $2 * interval '1 second'
    where kind = $1 and next_at <= now()";

/// Makes sure that work of this kind has a time: at once where it is new.
pub(crate) async fn ensure(db: &HostDb, kind: &str, period: Duration) -> Result<(), sqlx::Error> {
    let mut tx = db.begin_as_host().await?;
    sqlx::query(ENSURE).bind(kind).bind(period.as_secs_f64()).execute(&mut *tx).await?;
    tx.commit().await
}

/// Adds the work of this kind if its time has come. Where it still waits or is under way from the last time, it is not added.
pub(crate) async fn add_due(db: &HostDb, kind: &'static str, period: Duration) -> Result<(), sqlx::Error> {
    let mut tx = db.begin_as_host().await?;
    let taken = sqlx::query(TAKE).bind(kind).bind(period.as_secs_f64()).execute(&mut *tx).await?;
    if taken.rows_affected() > 0 {
        let job = NewJob {
            lane: HOST_LANE,
            kind,
            unique_key: Some(kind),
            payload: json!({}),
            max_attempts: ATTEMPTS,
            delay: Duration::ZERO,
        };
        jobs::add(&mut tx, JobId::make(), None, &job).await?;
    }
    tx.commit().await
}

/// Deletes earlier failures of this kind of work.
pub(crate) async fn forget_failures(tx: &mut HostTx, kind: &str) -> Result<(), sqlx::Error> {
    sqlx::query("delete from behalf.jobs where state in ('dead', 'cancelled') and lane = $1 and kind = $2")
        .bind(HOST_LANE)
        .bind(kind)
        .execute(&mut **tx)
        .await
        .map(drop)
}
