//! That this host is alive, for others: a lock of Postgres in the session that renews leases. The lock ends with the session, so other
//! hosts see the end of this one at once, and not when its leases are over.

use behalf_host_db::HostDb;
use uuid::Uuid;

/// The number by which other hosts know a host. Drawn at its start; no table holds it for longer than a client waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HostNumber(i64);

impl HostNumber {
    /// Draws one.
    pub(crate) fn draw() -> Self {
        let (high, _) = Uuid::new_v4().as_u64_pair();
        Self(i64::from_ne_bytes(high.to_ne_bytes()))
    }

    /// As the database has it.
    pub(super) fn get(self) -> i64 {
        self.0
    }
}

/// Says that this host is alive.
#[derive(Clone, Debug)]
pub(crate) struct HostPresence {
    db: HostDb,
    host: HostNumber,
}

impl HostPresence {
    /// `db` must have one connection of its own: the host counts as alive while that one lasts.
    pub(crate) fn new(db: HostDb, host: HostNumber) -> Self {
        Self { db, host }
    }

    /// Says it again. The first time on each connection counts; the others find out whether the connection lasts.
    pub(crate) async fn confirm(&self) -> Result<(), sqlx::Error> {
        let mut tx = self.db.begin_as_host().await?;
        sqlx::query("select ai.hold_host($1)").bind(self.host.get()).execute(&mut *tx).await?;
        tx.commit().await
    }
}
