//! The tables of messages, one for each day: made ahead, and dropped when their day is long ago.

use std::time::Duration;

use behalf_host_db::HostDb;
use behalf_queue::Workers;

/// How often it looks. Days are made three days ahead, so several of these may fail.
const PERIOD: Duration = Duration::from_mins(10);

/// Changes at a time; more are made at the next.
const MOST: usize = 40;

/// What there was before, of a host that did not run for long, is dropped table by table.
const KEEP: &str = "select behalf.keep_messages($1, $2)";

/// Makes the tables of the days that come, and drops those whose day is longer ago than `days`. Where the tables are another server's,
/// it does so only if this host `serves` channels.
pub fn keep_messages(db: &HostDb, days: u32, serves: bool, workers: &mut Workers) {
    let db = db.clone();
    workers.every("keep-messages", PERIOD, move || {
        let db = db.clone();
        async move { keep(&db, days, serves).await }
    });
}

/// Each change in a transaction of its own: it locks all messages for a moment.
async fn keep(db: &HostDb, days: u32, serves: bool) -> Result<(), sqlx::Error> {
    let days = i32::try_from(days.clamp(1, 36_500)).unwrap_or(i32::MAX);
    for _ in 0..MOST {
        let mut tx = db.begin_as_host().await?;
        let done: String = sqlx::query_scalar(KEEP).bind(days).bind(serves).fetch_one(&mut *tx).await?;
        tx.commit().await?;
        match done.as_str() {
            "made" | "dropped" => {}
            "refused" => {
                tracing::warn!(
                    "a table of realtime.messages is locked or belongs to another role; it is tried again later"
                );
                break;
            }
            _ => break,
        }
    }
    Ok(())
}
