//! Table `ai.plugin_secrets`: values that operators set for plugins. They leave it for their host, never for a client.

use std::sync::Arc;

use behalf_host_db::{Act, HostDb, SealError, Sealed, Sealer};
use serde_json::json;
use sqlx::FromRow;
use thiserror::Error;
use uuid::Uuid;

/// A value shorter than this has no end that could be shown.
const MIN_SHOWN: usize = 12;

/// A value to store.
pub(crate) struct NewSecret<'a> {
    pub(crate) plugin: Uuid,
    pub(crate) name: &'a str,
    /// The only host that it is sent to, in the form in which hosts are compared.
    pub(crate) host: &'a str,
    pub(crate) value: &'a str,
}

/// A stored value as operators see it.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub(crate) struct StoredSecret {
    pub(crate) name: String,
    /// The only host that it is sent to.
    pub(crate) host: String,
    /// The end of the value; none where that would be much of it.
    pub(crate) last_four: Option<String>,
    /// RFC 3339.
    pub(crate) created_at: String,
}

/// A stored value as a call uses it. It does not print.
pub(crate) struct OpenSecret {
    pub(crate) name: String,
    pub(crate) host: String,
    /// The value, or why it stays closed.
    pub(crate) value: Result<String, SealError>,
}

/// Why a value was not stored.
#[derive(Debug, Error)]
pub enum StoreSecretError {
    /// It cannot be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The database failed.
    #[error("the plugin's secret cannot be stored")]
    Database(#[from] sqlx::Error),
}

#[derive(FromRow)]
struct SealedRow {
    plugin_id: Uuid,
    name: String,
    host: String,
    key_id: String,
    nonce: Vec<u8>,
    sealed: Vec<u8>,
}

impl SealedRow {
    fn bound_to(&self) -> Vec<u8> {
        bound_to(self.plugin_id, &self.name, &self.host)
    }

    fn stored(&self) -> Sealed {
        Sealed { key_id: self.key_id.clone(), nonce: self.nonce.clone(), bytes: self.sealed.clone() }
    }
}

/// The table of plugins' secrets.
#[derive(Clone, Debug)]
pub struct PluginSecretStore {
    db: HostDb,
    sealer: Arc<Sealer>,
}

/// How many values of plugins are sealed by which key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SealedPluginSecrets {
    /// Sealed with the current key.
    pub current: usize,
    /// Sealed with an earlier key that is still set.
    pub previous: usize,
    /// Opened by no key that is set, each named by its plugin and name.
    pub closed: Vec<String>,
}

impl PluginSecretStore {
    /// The store in this database, whose values `sealer` seals.
    pub fn new(db: HostDb, sealer: Arc<Sealer>) -> Self {
        Self { db, sealer }
    }

    /// Stores a value, in place of an earlier one; none where the plugin is gone.
    pub(crate) async fn store(
        &self,
        act: Act<'_>,
        new: &NewSecret<'_>,
    ) -> Result<Option<StoredSecret>, StoreSecretError> {
        let sealed = self.sealer.seal(&bound_to(new.plugin, new.name, new.host), new.value)?;
        let last_four = (new.value.len() >= MIN_SHOWN).then(|| new.value.get(new.value.len() - 4..)).flatten();
        let mut tx = self.db.begin_act(act).await?;
        let stored = sqlx::query_as(
            "insert into ai.plugin_secrets (plugin_id, name, host, key_id, nonce, sealed, last_four)
             select id, $2, $3, $4, $5, $6, $7 from ai.plugins where id = $1
             on conflict (plugin_id, name) do update set host = excluded.host, key_id = excluded.key_id,
                nonce = excluded.nonce, sealed = excluded.sealed, last_four = excluded.last_four, created_at = now()
             returning name, host, last_four, to_json(created_at) #>> '{}' as created_at",
        )
        .bind(new.plugin)
        .bind(new.name)
        .bind(new.host)
        .bind(&sealed.key_id)
        .bind(&sealed.nonce)
        .bind(&sealed.bytes)
        .bind(last_four)
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(stored)
    }

    /// What is stored for a plugin, without the values, in order of names.
    pub(crate) async fn list(&self, plugin: Uuid) -> Result<Vec<StoredSecret>, sqlx::Error> {
        let mut tx = self.db.begin_as_host().await?;
        let stored = sqlx::query_as(
            "select name, host, last_four, to_json(created_at) #>> '{}' as created_at
             from ai.plugin_secrets where plugin_id = $1 order by name",
        )
        .bind(plugin)
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(stored)
    }

    /// Deletes a value; false where there is none.
    pub(crate) async fn delete(&self, act: Act<'_>, plugin: Uuid, name: &str) -> Result<bool, sqlx::Error> {
        let mut tx = self.db.begin_act(act).await?;
        let done = sqlx::query("delete from ai.plugin_secrets where plugin_id = $1 and name = $2")
            .bind(plugin)
            .bind(name)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(done.rows_affected() > 0)
    }

    /// A plugin's values, opened for one call.
    pub(crate) async fn open(&self, plugin: Uuid) -> Result<Vec<OpenSecret>, sqlx::Error> {
        let mut tx = self.db.begin_as_host().await?;
        let rows: Vec<SealedRow> = sqlx::query_as(
            "select plugin_id, name, host, key_id, nonce, sealed from ai.plugin_secrets where plugin_id = $1",
        )
        .bind(plugin)
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        let open = |row: SealedRow| {
            let value = self.sealer.open(&row.bound_to(), &row.stored());
            OpenSecret { name: row.name, host: row.host, value }
        };
        Ok(rows.into_iter().map(open).collect())
    }

    /// Tries to open each value of each plugin. Changes nothing.
    pub async fn examine(&self) -> Result<SealedPluginSecrets, StoreSecretError> {
        self.pass(false).await
    }

    /// Seals with the current key whatever an earlier one opens: [`SealedPluginSecrets::previous`] is what was sealed again.
    pub async fn reseal(&self) -> Result<SealedPluginSecrets, StoreSecretError> {
        self.pass(true).await
    }

    async fn pass(&self, reseal: bool) -> Result<SealedPluginSecrets, StoreSecretError> {
        let mut found = SealedPluginSecrets::default();
        let mut tx = self.db.begin_as_host().await?;
        let rows: Vec<SealedRow> = sqlx::query_as(
            "select plugin_id, name, host, key_id, nonce, sealed from ai.plugin_secrets order by plugin_id, name
             for no key update",
        )
        .fetch_all(&mut *tx)
        .await?;
        for row in rows {
            let stored = row.stored();
            let Ok(value) = self.sealer.open(&row.bound_to(), &stored) else {
                found.closed.push(format!("plugin {} {}", row.plugin_id, row.name));
                continue;
            };
            if self.sealer.is_current(&stored) {
                found.current += 1;
                continue;
            }
            found.previous += 1;
            if reseal {
                let again = self.sealer.seal(&row.bound_to(), &value)?;
                sqlx::query(
                    "update ai.plugin_secrets set key_id = $3, nonce = $4, sealed = $5 where plugin_id = $1 and name = $2",
                )
                .bind(row.plugin_id)
                .bind(&row.name)
                .bind(&again.key_id)
                .bind(&again.nonce)
                .bind(&again.bytes)
                .execute(&mut *tx)
                .await?;
            }
        }
        tx.commit().await?;
        Ok(found)
    }
}

/// The data that a sealed value is bound to: moved to another plugin, name or host, the value does not open.
fn bound_to(plugin: Uuid, name: &str, host: &str) -> Vec<u8> {
    json!(["behalf plugin secret", plugin, name, host]).to_string().into_bytes()
}
