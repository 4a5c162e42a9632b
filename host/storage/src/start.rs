//! What has to be there before `/storage/v1` is served.

use behalf_host_db::HostDb;
use behalf_problem::LogText as _;
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
    match decided(db).await {
        Ok(Some(value)) if value == "theirs" => return Err(TablesError::Theirs),
        Ok(_) => {}
        Err(error) => return Err(TablesError::Unusable(error)),
    }
    let usable = async {
        let mut tx = db.begin_storage().await?;
        sqlx::query("select from storage.buckets, storage.objects, storage.behalf_uploads limit 0")
            .execute(&mut *tx)
            .await?;
        tx.commit().await
    };
    usable.await.map_err(|error| {
        tracing::debug!(error = error.log_text(), "the tables of objects cannot be used");
        TablesError::Unusable(error)
    })
}

/// Whose tables they are, as `behalf migrate` found.
async fn decided(db: &HostDb) -> Result<Option<String>, sqlx::Error> {
    let mut tx = db.begin_as_host().await?;
    let value = sqlx::query_scalar("select value from behalf.decisions where name = 'storage_tables'")
        .fetch_optional(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(value)
}
