//! The tables by which hosts agree who reads the log, and which tables are wanted where.

use std::collections::BTreeSet;

use behalf_host_db::{HostDb, ReadError};
use sqlx::FromRow;
use uuid::Uuid;

use super::snapshot::Snapshot;
use super::tables::PUBLICATION;

/// How the reading stands. `until` is compared by the database's clock.
const LOOK: &str = "
    select r.leader, coalesce(r.until > clock_timestamp(), false) as is_led, r.slot,
        (extract(epoch from r.lost_at) * 1000)::bigint as lost_ms, r.reason,
        exists (select from pg_publication p where p.pubname = $1) as is_published
    from behalf.realtime_replication r";

/// Takes the lease, or keeps it. A leader that is silent for 6 s has lost it.
const TAKE: &str = "
    update behalf.realtime_replication set leader = $1, until = clock_timestamp() + interval '6 seconds'
    where leader = $1 or until is null or until < clock_timestamp()";

const RENEW: &str = "
    update behalf.realtime_replication set until = clock_timestamp() + interval '6 seconds' where leader = $1";

const RELEASE: &str = "
    update behalf.realtime_replication set leader = null, until = null, slot = case when $2 then null else slot end where leader = $1";

const STARTED: &str = "
    update behalf.realtime_replication set slot = $2,
        lost_at = case when $3::text is null then lost_at else clock_timestamp() end, reason = coalesce($3, reason)
    where leader = $1";

const WANTED_BY_OTHERS: &str = "
    select distinct t.relation::bigint from behalf.realtime_tables t
    join behalf.realtime_hosts h on h.host = t.host
    where t.host <> $1 and h.seen_at > clock_timestamp() - interval '10 seconds'";

const FORGET_TABLES: &str = "
    delete from behalf.realtime_tables t where t.host = $1 and t.relation <> all (select n::oid from unnest($2::bigint[]) n)
        or t.host <> $1 and not exists (select from behalf.realtime_hosts h where h.host = t.host)";

const ADD_TABLES: &str = "
    insert into behalf.realtime_tables (host, relation) select $1, n::oid from unnest($2::bigint[]) n on conflict do nothing";

const KEPT: &str = "
    select coalesce(max(pg_current_wal_lsn() - s.restart_lsn), 0)::bigint
    from pg_replication_slots s where s.slot_name = $1 and s.restart_lsn is not null";

/// How the reading stands.
#[derive(Clone, Debug, FromRow)]
pub(super) struct Reading {
    /// The host that reads.
    pub(super) leader: Option<Uuid>,
    /// Whether it is alive.
    pub(super) is_led: bool,
    /// The slot, once it is there: the server keeps what is committed from then on.
    pub(super) slot: Option<String>,
    /// When changes were last lost, in milliseconds since 1970.
    pub(super) lost_ms: Option<i64>,
    /// Why.
    pub(super) reason: Option<String>,
    /// Whether there is a publication.
    pub(super) is_published: bool,
}

/// Which transactions sessions see now.
const SNAPSHOT: &str = "select pg_current_snapshot()::text";

/// The tables.
#[derive(Clone, Debug)]
pub(super) struct Store {
    db: HostDb,
    host: Uuid,
}

impl Store {
    pub(super) fn new(db: HostDb, host: Uuid) -> Self {
        Self { db, host }
    }

    pub(super) fn host(&self) -> Uuid {
        self.host
    }

    pub(super) async fn look(&self) -> Result<Reading, sqlx::Error> {
        let mut tx = self.db.begin_as_host().await?;
        let reading = sqlx::query_as(LOOK).bind(PUBLICATION).fetch_one(&mut *tx).await?;
        tx.commit().await?;
        Ok(reading)
    }

    /// Whether this host reads from now on.
    pub(super) async fn take(&self) -> Result<bool, sqlx::Error> {
        self.is_changed(sqlx::query(TAKE).bind(self.host)).await
    }

    /// Whether it may go on.
    pub(super) async fn renew(&self) -> Result<bool, sqlx::Error> {
        self.is_changed(sqlx::query(RENEW).bind(self.host)).await
    }

    /// Lets another host read. `without_slot` says that the slot was dropped.
    pub(super) async fn release(&self, without_slot: bool) -> Result<(), sqlx::Error> {
        self.is_changed(sqlx::query(RELEASE).bind(self.host).bind(without_slot)).await.map(drop)
    }

    /// Says that the slot is there, and why changes were lost before, if they were. False where this host may not read any more.
    pub(super) async fn started(&self, slot: &str, lost: Option<&str>) -> Result<bool, sqlx::Error> {
        self.is_changed(sqlx::query(STARTED).bind(self.host).bind(slot).bind(lost)).await
    }

    /// Tables that subscribers at other hosts want changes of.
    pub(super) async fn wanted_by_others(&self) -> Result<BTreeSet<u32>, sqlx::Error> {
        let mut tx = self.db.begin_as_host().await?;
        let found: Vec<i64> = sqlx::query_scalar(WANTED_BY_OTHERS).bind(self.host).fetch_all(&mut *tx).await?;
        tx.commit().await?;
        Ok(found.into_iter().filter_map(|oid| u32::try_from(oid).ok()).collect())
    }

    /// Says which tables are wanted here.
    pub(super) async fn set_wanted(&self, tables: &BTreeSet<u32>) -> Result<(), sqlx::Error> {
        let oids: Vec<i64> = tables.iter().map(|oid| i64::from(*oid)).collect();
        let mut tx = self.db.begin_as_host().await?;
        sqlx::query(FORGET_TABLES).bind(self.host).bind(&oids).execute(&mut *tx).await?;
        sqlx::query(ADD_TABLES).bind(self.host).bind(&oids).execute(&mut *tx).await?;
        tx.commit().await
    }

    /// Which transactions sessions see from now on; none where the server's answer has another form.
    pub(super) async fn snapshot(&self) -> Result<Option<Snapshot>, ReadError> {
        let rows = self.db.read(SNAPSHOT, &[]).await?;
        Ok(rows.first().and_then(|row| row.text(0)).and_then(Snapshot::parse))
    }

    /// Bytes of the log that the server keeps for a slot.
    pub(super) async fn kept(&self, slot: &str) -> Result<u64, sqlx::Error> {
        let mut tx = self.db.begin_as_host().await?;
        let kept: i64 = sqlx::query_scalar(KEPT).bind(slot).fetch_one(&mut *tx).await?;
        tx.commit().await?;
        Ok(u64::try_from(kept).unwrap_or(0))
    }

    async fn is_changed(
        &self,
        statement: sqlx::query::Query<'_, sqlx::Postgres, sqlx::postgres::PgArguments>,
    ) -> Result<bool, sqlx::Error> {
        let mut tx = self.db.begin_as_host().await?;
        let done = statement.execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(done.rows_affected() > 0)
    }
}
