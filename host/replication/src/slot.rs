//! The replication slot of a database.

use behalf_pgwire::{Replication, TextRow, WireError};

use super::ReplicationError;

/// What slots are called. The rest of the name is a hash of the database's: slots belong to the whole server.
const NAME: &str = "select 'behalf_realtime_' || substr(encode(sha256(convert_to(current_database(), 'UTF8')), 'hex'), 1, 16), \
     current_setting('wal_level')";

/// How a slot stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotState {
    /// Whether the server has thrown away what it marks.
    pub is_lost: bool,
    /// Whether a session reads it.
    pub is_read: bool,
    /// Bytes of the log that the server keeps for it.
    pub kept: u64,
}

/// The slot's name. An error where the server cannot have slots of this kind.
pub(crate) async fn name(session: &mut Replication) -> Result<String, ReplicationError> {
    let rows = session.query(NAME).await?;
    let text = |column| rows.first().and_then(|row: &TextRow| row.text(column)).unwrap_or_default();
    match text(1) {
        "logical" => Ok(text(0).to_owned()),
        level => Err(ReplicationError::WalLevel(level.to_owned())),
    }
}

/// How it stands; none where it does not exist. `name` is one of [`name`]: letters, digits and underscores.
pub(crate) async fn state(session: &mut Replication, name: &str) -> Result<Option<SlotState>, ReplicationError> {
    let question = format!(
        "select coalesce(wal_status, '') = 'lost' or restart_lsn is null, active, \
             greatest(pg_current_wal_lsn() - restart_lsn, 0)::bigint \
         from pg_replication_slots where slot_name = '{name}'"
    );
    let rows = session.query(&question).await?;
    Ok(rows.first().map(|row| SlotState {
        is_lost: row.text(0) == Some("t"),
        is_read: row.text(1) == Some("t"),
        kept: row.text(2).and_then(|bytes| bytes.parse().ok()).unwrap_or(0),
    }))
}

/// Makes it. From then on the server keeps changes.
pub(crate) async fn make(session: &mut Replication, name: &str) -> Result<(), ReplicationError> {
    let command = format!("CREATE_REPLICATION_SLOT {name} LOGICAL pgoutput NOEXPORT_SNAPSHOT");
    session.query(&command).await.map(drop).map_err(refused)
}

/// Drops it.
pub(crate) async fn remove(session: &mut Replication, name: &str) -> Result<(), ReplicationError> {
    session.query(&format!("DROP_REPLICATION_SLOT {name}")).await.map(drop).map_err(refused)
}

/// What an error of the server means.
pub(crate) fn refused(error: WireError) -> ReplicationError {
    match error.sqlstate() {
        Some("42501") => ReplicationError::NotAllowed(error),
        Some("53400") => ReplicationError::NoSlotLeft(error),
        Some("55006") => ReplicationError::InUse(error),
        // Prerequisites of reading a slot: it was invalidated. Or a part of the log is gone.
        Some("55000" | "58P01") => ReplicationError::Lost(error),
        Some("42704") => ReplicationError::NoPublication(error),
        _ => ReplicationError::Wire(error),
    }
}
