//! What has to be there before `/storage/v1` is served.

use behalf_host_db::HostDb;
use thiserror::Error;

/// Why `/storage/v1` cannot be served on this database.
#[derive(Debug, Error)]
pub enum TablesError {
    /// Another service keeps its objects in this database.
    #[error(
        "the table storage.objects belongs to another service, whose files this host does not have; set BEHALF_STORAGE to off, or \
         to the address where they are"
    )]
    Theirs,
    /// The host cannot use the tables.
    #[error("the tables of objects cannot be used; run behalf migrate, or set BEHALF_STORAGE=off")]
    Unusable(#[source] sqlx::Error),
}

/// Checks that the tables of objects are this host's, and usable.
pub async fn check_tables(db: &HostDb) -> Result<(), TablesError> {
    let mut tx = db.begin_storage().await.map_err(TablesError::Unusable)?;
    sqlx::query("select from storage.buckets, storage.objects limit 0")
        .execute(&mut *tx)
        .await
        .map_err(TablesError::Unusable)?;
    tx.commit().await.map_err(TablesError::Unusable)
}
