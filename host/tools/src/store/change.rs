//! Changes of the registry: they are made one after the other, and every host learns of them.

use behalf_host_db::{Act, HostDb, HostTx};

/// The channel on which hosts hear that the registry changed.
pub(crate) const CHANNEL: &str = "behalf_registry";

/// Begins a change of the registry. Changes wait for each other: of two plugins with the same component, the deletion of one
/// could otherwise delete the component while the other is stored.
pub(super) async fn begin_change(db: &HostDb, act: Act<'_>) -> Result<HostTx, sqlx::Error> {
    let mut tx = db.begin_act(act).await?;
    sqlx::query("select from ai.registry_version for update").execute(&mut *tx).await?;
    Ok(tx)
}

/// Tells other hosts to reload when the transaction commits. A host that misses it sees the new version within seconds.
pub(super) async fn announce(tx: &mut HostTx) -> Result<(), sqlx::Error> {
    sqlx::query("notify behalf_registry").execute(&mut **tx).await.map(|_| ())
}
