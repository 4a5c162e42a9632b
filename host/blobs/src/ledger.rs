//! Table `behalf.blobs`: all bytes that were ever begun and not deleted.

use std::time::Duration;

use behalf_host_db::HostDb;
use behalf_jobs::Jobs;
use behalf_problem::LogText as _;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::error::BlobError;
use crate::id::BlobId;

/// New rows of one transaction, at most.
const BATCH: usize = 256;

/// Triggers name a blob (`object_id`) and release it (`released_at`). `touched_at` is when its writer was last seen; for bytes that
/// come in parts, it is as far in the future as they may rest.
const ADD: &str = "
    insert into behalf.blobs (id, bucket_id, name, created_at, touched_at)
    select n.id, n.bucket_id, n.name, now(), now() + n.beyond * interval '1 second'
    from unnest($1::uuid[], $2::text[], $3::text[], $4::float8[]) as n (id, bucket_id, name, beyond)";

const TOUCH: &str = "
    update behalf.blobs set touched_at = now() + $2 * interval '1 second' where id = $1 and released_at is null";

/// True if the bytes are the asker's to delete: nothing names them, and nobody else found that before.
const RELEASE: &str = "
    with released as (
        update behalf.blobs set released_at = now() where id = $1 and object_id is null and released_at is null returning id
    )
    select exists (select from released) or not exists (select from behalf.blobs where id = $1)";

/// What nothing names: what no row names any more, and what none ever did. A claim counts for a while only, so that another host goes
/// on where this one ends.
const CLAIM: &str = "
    with released as (
        select id from behalf.blobs where released_at < now() - $1 * interval '1 second'
        order by released_at limit $3 for update skip locked
    ), abandoned as (
        select id from behalf.blobs
        where released_at is null and object_id is null and touched_at < now() - $2 * interval '1 second'
        order by touched_at limit $3 for update skip locked
    )
    update behalf.blobs b set released_at = now()
    from (select id, false as is_abandoned from released union all select id, true from abandoned) found
    where b.id = found.id
    returning b.id, found.is_abandoned";

const REMOVE: &str = "delete from behalf.blobs where id = any($1) and released_at is not null";

/// A row to be written.
struct NewRow {
    id: Uuid,
    bucket: String,
    name: String,
    beyond: Duration,
    done: oneshot::Sender<Result<(), sqlx::Error>>,
}

/// The list of all bytes.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    db: HostDb,
    new: mpsc::Sender<NewRow>,
}

impl Ledger {
    /// The list in this database. New rows that come at the same time are written together.
    pub(crate) fn start(db: HostDb, jobs: &Jobs) -> Self {
        let (new, mut waiting) = mpsc::channel::<NewRow>(BATCH);
        let own = db.clone();
        jobs.spawn("list-blobs", |stop| async move {
            let mut rows = Vec::with_capacity(BATCH);
            loop {
                tokio::select! {
                    () = stop.requested() => return,
                    count = waiting.recv_many(&mut rows, BATCH) => if count == 0 { return },
                }
                add_all(&own, std::mem::take(&mut rows)).await;
            }
        });
        Self { db, new }
    }

    /// Lists a new blob.
    pub(crate) async fn add(&self, id: BlobId, bucket: &str, name: &str, beyond: Duration) -> Result<(), BlobError> {
        let (done, written) = oneshot::channel();
        let row = NewRow { id: id.0, bucket: bucket.to_owned(), name: name.to_owned(), beyond, done };
        let closed = || BlobError::Ledger(sqlx::Error::PoolClosed);
        self.new.send(row).await.map_err(|_| closed())?;
        Ok(written.await.map_err(|_| closed())??)
    }

    /// The writer is still there.
    pub(crate) async fn touch(&self, id: BlobId, beyond: Duration) -> Result<(), BlobError> {
        let mut tx = self.db.begin_as_host().await?;
        let touched = sqlx::query(TOUCH).bind(id.0).bind(beyond.as_secs_f64()).execute(&mut *tx).await?;
        tx.commit().await?;
        if touched.rows_affected() == 1 { Ok(()) } else { Err(BlobError::Gone) }
    }

    /// Nothing will name it. Whether its bytes are to be deleted now.
    pub(crate) async fn release(&self, id: BlobId) -> Result<bool, BlobError> {
        let mut tx = self.db.begin_as_host().await?;
        let is_ours = sqlx::query_scalar(RELEASE).bind(id.0).fetch_one(&mut *tx).await?;
        tx.commit().await?;
        Ok(is_ours)
    }

    /// Some of what nothing names, each with whether its writer fell silent.
    pub(crate) async fn claim(
        &self,
        again_after: Duration,
        abandoned_after: Duration,
        most: i64,
    ) -> Result<Vec<(BlobId, bool)>, BlobError> {
        let mut tx = self.db.begin_as_host().await?;
        let claimed: Vec<(Uuid, bool)> = sqlx::query_as(CLAIM)
            .bind(again_after.as_secs_f64())
            .bind(abandoned_after.as_secs_f64())
            .bind(most)
            .fetch_all(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(claimed.into_iter().map(|(id, is_abandoned)| (BlobId(id), is_abandoned)).collect())
    }

    /// The bytes of these are deleted.
    pub(crate) async fn remove(&self, ids: &[BlobId]) -> Result<(), BlobError> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let mut tx = self.db.begin_as_host().await?;
        sqlx::query(REMOVE).bind(ids).execute(&mut *tx).await?;
        Ok(tx.commit().await?)
    }
}

/// Writes rows in one transaction, or each by itself if the server refuses that: a row that cannot be written keeps no other back.
async fn add_all(db: &HostDb, rows: Vec<NewRow>) {
    if rows.len() > 1 {
        match insert(db, &rows).await {
            Ok(()) => return rows.into_iter().for_each(|row| drop(row.done.send(Ok(())))),
            Err(sqlx::Error::Database(error)) => {
                tracing::warn!(error = sqlx::Error::Database(error).log_text(), "new blobs are listed one by one");
            }
            // Without a database, each of them would wait for one.
            Err(error) => {
                tracing::warn!(error = error.log_text(), "new blobs cannot be listed");
                return rows.into_iter().for_each(|row| drop(row.done.send(Err(sqlx::Error::PoolTimedOut))));
            }
        }
    }
    for row in rows {
        let written = insert(db, std::slice::from_ref(&row)).await;
        row.done.send(written).ok();
    }
}

async fn insert(db: &HostDb, rows: &[NewRow]) -> Result<(), sqlx::Error> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let buckets: Vec<&str> = rows.iter().map(|row| row.bucket.as_str()).collect();
    let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    let beyond: Vec<f64> = rows.iter().map(|row| row.beyond.as_secs_f64()).collect();
    let mut tx = db.begin_as_host().await?;
    sqlx::query(ADD).bind(ids).bind(buckets).bind(names).bind(beyond).execute(&mut *tx).await?;
    tx.commit().await
}
