//! Changes many rows in several transactions, so that nobody waits long for one of them, and rests in between, so that the others get as
//! much of the database.

use std::time::{Duration, Instant};

use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;

use crate::HostDb;

/// Rows of one such transaction.
pub const BATCH: i64 = 5_000;

/// The longest rest. A batch that takes longer waited for others, and gets no more of their time by resting.
const LONGEST_REST: Duration = Duration::from_secs(1);

/// Rests as long as a batch took that began at this time.
pub async fn rest_after(began: Instant) {
    tokio::time::sleep(began.elapsed().min(LONGEST_REST)).await;
}

/// Repeats a statement of the host's own, which changes at most [`BATCH`] rows, until it changes fewer. Returns how many rows it
/// changed in all.
pub(crate) async fn in_batches<'q>(
    db: &HostDb,
    statement: impl Fn() -> Query<'q, Postgres, PgArguments>,
) -> Result<u64, sqlx::Error> {
    let mut all = 0_u64;
    loop {
        let began = Instant::now();
        let mut tx = db.begin_as_host().await?;
        let changed = statement().execute(&mut *tx).await?.rows_affected();
        tx.commit().await?;
        all = all.saturating_add(changed);
        if changed < BATCH.unsigned_abs() {
            return Ok(all);
        }
        rest_after(began).await;
    }
}
