//! The statements of the bus.
//!
//! What is new is told by snapshots, not by numbers or times: transactions commit in another order than they began in, and a reader
//! that remembers the highest number would miss the later of them. New is what the snapshot of the last read could not see and the
//! present one can.

use std::time::Duration;

use behalf_host_db::{BATCH, HostDb, HostTx};
use chrono::NaiveDateTime;
use futures::stream::BoxStream;
use sqlx::FromRow;
use uuid::Uuid;

/// One transaction sees the same throughout, and finds new rows by the index on their transactions: they are few among many, which
/// the server cannot know of a table that changes that fast.
const BEGIN: &str = "
    set transaction isolation level repeatable read, read only;
    set local enable_seqscan = off;
    select pg_current_snapshot()::text";

const NEW_ROWS: &str = "
    select seq, host, body from behalf.realtime_bus
    where (xid >= pg_snapshot_xmax($1::text::pg_snapshot) or xid = any (array(select pg_snapshot_xip($1::text::pg_snapshot))))
        and host <> $2
    order by seq";

const NEW_MESSAGES: &str = "
    select id, inserted_at from behalf.realtime_outbox
    where xid >= pg_snapshot_xmax($1::text::pg_snapshot) or xid = any (array(select pg_snapshot_xip($1::text::pg_snapshot)))
    order by inserted_at, xid, seq";

/// After a crash the server gives numbers of transactions again that left no trace in its log, and a snapshot from before counts these
/// as seen. Then what is new is told by its time, and by what was handed out before.
const LATE_ROWS: &str = "
    select seq, host, body from behalf.realtime_bus where at > now() - make_interval(secs => $1) and host <> $2 order by seq";

const LATE_MESSAGES: &str = "
    select id, inserted_at from behalf.realtime_outbox where at > now() - make_interval(secs => $1) order by inserted_at, xid, seq";

/// With the rights of the function's owner: the host has none on messages.
const MESSAGES: &str = "select id, topic, private, event, payload, binary_payload from behalf.stored_messages($1, $2)";

const ADD: &str = "
    with added as (insert into behalf.realtime_bus (host, body) values ($1, $2) returning host)
    select pg_notify('behalf_realtime', '')::text from added";

/// Rows between hosts are read within a moment, and by nobody who was away for longer than a few seconds: such a host counts as dead.
const PRUNE_ROWS: &str = "
    delete from behalf.realtime_bus where ctid = any (array(
        select ctid from behalf.realtime_bus where at < now() - interval '1 minute' limit $1))";

const PRUNE_MESSAGES: &str = "
    delete from behalf.realtime_outbox where ctid = any (array(
        select ctid from behalf.realtime_outbox where at < now() - interval '10 minutes' limit $1))";

/// A host stores nothing before it is on the list, so these are of hosts that were taken off it while they stored them.
const PRUNE_PRESENCES: &str = "
    delete from behalf.realtime_presence where ctid = any (array(
        select p.ctid from behalf.realtime_presence p
        where not exists (select from behalf.realtime_hosts h where h.host = p.host) limit $1))";

/// A row of another host.
#[derive(FromRow)]
pub(super) struct Row {
    pub(super) seq: i64,
    pub(super) host: Uuid,
    pub(super) body: Vec<u8>,
}

/// A stored message that is new.
#[derive(Clone, Copy, FromRow)]
pub(super) struct NewMessage {
    pub(super) id: Uuid,
    pub(super) inserted_at: NaiveDateTime,
}

/// A stored message.
#[derive(FromRow)]
pub(super) struct Message {
    pub(super) id: Uuid,
    pub(super) topic: String,
    pub(super) private: bool,
    pub(super) event: Option<String>,
    pub(super) payload: Option<String>,
    pub(super) binary_payload: Option<Vec<u8>>,
}

/// Begins to read. Returns the snapshot, as Postgres writes it.
pub(super) async fn begin(db: &HostDb) -> Result<(HostTx, String), sqlx::Error> {
    let mut tx = db.begin_as_host().await?;
    let row = sqlx::raw_sql(BEGIN).fetch_one(&mut *tx).await?;
    let snapshot = sqlx::Row::try_get(&row, 0)?;
    Ok((tx, snapshot))
}

/// Rows of other hosts that came after this snapshot, in their order. They are read one by one as they are taken.
pub(super) fn new_rows<'a>(tx: &'a mut HostTx, after: &'a str, host: Uuid) -> BoxStream<'a, Result<Row, sqlx::Error>> {
    sqlx::query_as(NEW_ROWS).bind(after).bind(host).fetch(&mut **tx)
}

/// Stored messages that came after this snapshot, in the order in which they were stored.
pub(super) async fn new_messages(tx: &mut HostTx, after: &str) -> Result<Vec<NewMessage>, sqlx::Error> {
    sqlx::query_as(NEW_MESSAGES).bind(after).fetch_all(&mut **tx).await
}

/// Rows of other hosts of this time until now, in their order.
pub(super) fn late_rows(tx: &mut HostTx, time: Duration, host: Uuid) -> BoxStream<'_, Result<Row, sqlx::Error>> {
    sqlx::query_as(LATE_ROWS).bind(time.as_secs_f64()).bind(host).fetch(&mut **tx)
}

/// Stored messages of this time until now.
pub(super) async fn late_messages(tx: &mut HostTx, time: Duration) -> Result<Vec<NewMessage>, sqlx::Error> {
    sqlx::query_as(LATE_MESSAGES).bind(time.as_secs_f64()).fetch_all(&mut **tx).await
}

/// These messages, in this order, but for those that the app has deleted since.
pub(super) async fn messages(tx: &mut HostTx, keys: &[NewMessage]) -> Result<Vec<Message>, sqlx::Error> {
    let (ids, times): (Vec<_>, Vec<_>) = keys.iter().map(|key| (key.id, key.inserted_at)).unzip();
    sqlx::query_as(MESSAGES).bind(ids).bind(times).fetch_all(&mut **tx).await
}

/// Adds a row for the other hosts, and wakes them when the transaction commits.
pub(crate) async fn add(tx: &mut HostTx, host: Uuid, row: &[u8]) -> Result<(), sqlx::Error> {
    sqlx::query(ADD).bind(host).bind(row).execute(&mut **tx).await.map(|_| ())
}

/// Deletes what every host has read.
pub(super) async fn prune(db: &HostDb) -> Result<(), sqlx::Error> {
    for statement in [PRUNE_ROWS, PRUNE_MESSAGES, PRUNE_PRESENCES] {
        db.in_batches(|| sqlx::query(statement).bind(BATCH)).await?;
    }
    Ok(())
}
