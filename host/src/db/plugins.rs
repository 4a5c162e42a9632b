//! Tables `ai.component`, `ai.plugins`, `ai.plugin_tools`: what is registered, for every host alike.

use serde_json::Value as Json;
use sqlx::Row;
use sqlx::postgres::PgRow;
use thiserror::Error;
use uuid::Uuid;

use super::{Db, custom_tools};

/// A plugin as it is stored.
#[derive(Clone, Debug)]
pub struct PluginRow {
    /// Its id.
    pub id: Uuid,
    /// Its name, unique.
    pub name: String,
    /// Its version, as the author gave it.
    pub version: String,
    /// SHA-256 of the component.
    pub digest: [u8; 32],
    /// Whether its tools can be called.
    pub enabled: bool,
    /// Whether it came with the host.
    pub bundled: bool,
    /// The publisher's signature, as it was sent.
    pub signature: Option<Json>,
    /// The key that made it, where one that the host trusted did.
    pub signer: Option<String>,
    /// What it may do.
    pub grants: Json,
    /// Values for it.
    pub settings: Json,
    /// Interfaces it imports.
    pub imports: Json,
    /// Definitions of its tools, in order.
    pub tools: Vec<Json>,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub updated_at: String,
}

/// A plugin to store. One of the same name is replaced where `replace` says so.
#[derive(Clone, Debug)]
pub struct NewPlugin<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its version.
    pub version: &'a str,
    /// SHA-256 of `component`.
    pub digest: [u8; 32],
    /// The component's bytes.
    pub component: &'a [u8],
    /// What it may do.
    pub grants: &'a Json,
    /// Interfaces it imports.
    pub imports: &'a Json,
    /// Name and definition of each tool.
    pub tools: &'a [(String, Json)],
    /// Whether it came with the host.
    pub bundled: bool,
    /// The publisher's signature.
    pub signature: Option<&'a Json>,
    /// The key that made it.
    pub signer: Option<&'a str>,
    /// Replace one of the same name: a new version keeps its id and settings.
    pub replace: bool,
    /// Do not replace a newer version: an old one, once signed, stays signed for ever.
    pub only_newer: bool,
}

/// Fields to change.
#[derive(Clone, Debug, Default)]
pub struct PluginChange {
    /// New grants.
    pub grants: Option<Json>,
    /// On or off.
    pub enabled: Option<bool>,
    /// New settings.
    pub settings: Option<Json>,
}

/// What is registered, as it was at one moment.
#[derive(Clone, Debug)]
pub struct Registry {
    /// The number that moves with every change.
    pub version: i64,
    /// Plugins by name.
    pub plugins: Vec<PluginRow>,
    /// Custom tools by name.
    pub custom_tools: Vec<custom_tools::CustomToolRow>,
}

/// Why a plugin was not stored.
#[derive(Debug, Error)]
pub enum PluginStoreError {
    /// Another plugin or a custom tool has this name.
    #[error("a tool named {0:?} is registered by another plugin, or as a custom tool")]
    ToolTaken(String),
    /// Another plugin has this name.
    #[error("a plugin named {0:?} is registered; delete it first, or upload with `?replace=true`")]
    NameTaken(String),
    /// The plugin that would be replaced is newer.
    #[error("version {held} is registered, and {given} is older; delete the plugin first if it is to go back")]
    Older {
        /// Registered.
        held: String,
        /// To be registered.
        given: String,
    },
    /// The database failed.
    #[error("the registry's tables cannot be written")]
    Database(#[from] sqlx::Error),
}

const ALL: &str = "select p.id, p.name, p.version, p.digest, p.enabled, p.bundled, p.signature, p.signer, p.grants, p.settings, p.imports,
        to_json(p.created_at) #>> '{}' as created_at, to_json(p.updated_at) #>> '{}' as updated_at,
        coalesce((select jsonb_agg(t.definition order by t.position) from ai.plugin_tools t where t.plugin_id = p.id), '[]') as tools
    from ai.plugins p order by p.name";

impl Db {
    /// The number that moves with every change of the registry.
    pub async fn registry_version(&self) -> Result<i64, sqlx::Error> {
        sqlx::query("select version from ai.registry_version").fetch_one(&self.host).await?.try_get(0)
    }

    /// Every plugin and custom tool, as they were at one moment.
    pub async fn registry(&self) -> Result<Registry, sqlx::Error> {
        let mut tx = self.begin_as_host().await?;
        sqlx::query("set transaction isolation level repeatable read").execute(&mut *tx).await?;
        let version = sqlx::query("select version from ai.registry_version").fetch_one(&mut *tx).await?.try_get(0)?;
        let rows = sqlx::query(ALL).fetch_all(&mut *tx).await?;
        let plugins = rows.iter().map(read).collect::<Result<_, _>>()?;
        let rows = sqlx::query(custom_tools::ALL).fetch_all(&mut *tx).await?;
        let custom_tools = rows.iter().map(custom_tools::read).collect::<Result<_, _>>()?;
        tx.commit().await?;
        Ok(Registry { version, plugins, custom_tools })
    }

    /// A component's bytes.
    pub async fn component(&self, digest: [u8; 32]) -> Result<Option<Vec<u8>>, sqlx::Error> {
        let row = sqlx::query("select bytes from ai.component where digest = $1")
            .bind(&digest[..])
            .fetch_optional(&self.host)
            .await?;
        row.map(|row| row.try_get(0)).transpose()
    }

    /// Begins a change of the registry. Changes come one after the other: two that shared a component could otherwise take
    /// it from under each other.
    pub(super) async fn begin_change(&self) -> Result<super::HostTx, sqlx::Error> {
        let mut tx = self.begin_as_host().await?;
        sqlx::query("select from ai.registry_version for update").execute(&mut *tx).await?;
        Ok(tx)
    }

    /// Stores a plugin with its tools, all or nothing.
    pub async fn store_plugin(&self, plugin: &NewPlugin<'_>) -> Result<Uuid, PluginStoreError> {
        let mut tx = self.begin_change().await?;
        if plugin.only_newer {
            refuse_older(&mut tx, plugin).await?;
        }
        sqlx::query("insert into ai.component (digest, bytes) values ($1, $2) on conflict do nothing")
            .bind(&plugin.digest[..])
            .bind(plugin.component)
            .execute(&mut *tx)
            .await?;
        let row = sqlx::query(
            "insert into ai.plugins as p (name, version, digest, grants, imports, bundled, signature, signer)
             values ($1, $2, $3, $4, $5, $6, $8, $9)
             on conflict (name) do update set version = excluded.version, digest = excluded.digest, grants = excluded.grants,
                 imports = excluded.imports, bundled = excluded.bundled, signature = excluded.signature, signer = excluded.signer,
                 updated_at = now()
             where $7
             returning id",
        )
        .bind(plugin.name)
        .bind(plugin.version)
        .bind(&plugin.digest[..])
        .bind(plugin.grants)
        .bind(plugin.imports)
        .bind(plugin.bundled)
        .bind(plugin.replace)
        .bind(plugin.signature)
        .bind(plugin.signer)
        .fetch_optional(&mut *tx)
        .await?
        .ok_or_else(|| PluginStoreError::NameTaken(plugin.name.to_owned()))?;
        let id: Uuid = row.try_get(0)?;
        sqlx::query("delete from ai.plugin_tools where plugin_id = $1").bind(id).execute(&mut *tx).await?;
        for (position, (name, definition)) in plugin.tools.iter().enumerate() {
            let done = sqlx::query(
                "insert into ai.plugin_tools (name, plugin_id, position, definition) values ($1, $2, $3, $4) on conflict do nothing",
            )
            .bind(name)
            .bind(id)
            .bind(i32::try_from(position).unwrap_or(i32::MAX))
            .bind(definition)
            .execute(&mut *tx)
            .await;
            // The name may be a custom tool's: a trigger looks there.
            let free = match done {
                Ok(done) => done.rows_affected() > 0,
                Err(sqlx::Error::Database(refusal)) if refusal.is_unique_violation() => false,
                Err(error) => return Err(error.into()),
            };
            if !free {
                return Err(PluginStoreError::ToolTaken(name.clone()));
            }
        }
        forget_unused(&mut tx).await?;
        announce(&mut tx).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Changes a plugin; none where it does not exist.
    pub async fn change_plugin(&self, id: Uuid, change: &PluginChange) -> Result<Option<()>, sqlx::Error> {
        let mut tx = self.begin_change().await?;
        let done = sqlx::query(
            "update ai.plugins set grants = coalesce($2, grants), enabled = coalesce($3, enabled),
                 settings = coalesce($4, settings), updated_at = now() where id = $1",
        )
        .bind(id)
        .bind(&change.grants)
        .bind(change.enabled)
        .bind(&change.settings)
        .execute(&mut *tx)
        .await?;
        announce(&mut tx).await?;
        tx.commit().await?;
        Ok((done.rows_affected() > 0).then_some(()))
    }

    /// Deletes a plugin and its tools; none where it does not exist.
    pub async fn delete_plugin(&self, id: Uuid) -> Result<Option<()>, sqlx::Error> {
        let mut tx = self.begin_change().await?;
        let done = sqlx::query("delete from ai.plugins where id = $1").bind(id).execute(&mut *tx).await?;
        forget_unused(&mut tx).await?;
        announce(&mut tx).await?;
        tx.commit().await?;
        Ok((done.rows_affected() > 0).then_some(()))
    }
}

async fn refuse_older(tx: &mut super::HostTx, plugin: &NewPlugin<'_>) -> Result<(), PluginStoreError> {
    let held = sqlx::query("select version from ai.plugins where name = $1")
        .bind(plugin.name)
        .fetch_optional(&mut **tx)
        .await?
        .map(|row| row.try_get::<String, _>(0))
        .transpose()?;
    let number = |text: &str| semver::Version::parse(text).ok();
    match held {
        Some(held) if number(&held) > number(plugin.version) => {
            Err(PluginStoreError::Older { held, given: plugin.version.to_owned() })
        }
        _ => Ok(()),
    }
}

async fn forget_unused(tx: &mut super::HostTx) -> Result<(), sqlx::Error> {
    sqlx::query("delete from ai.component c where not exists (select from ai.plugins p where p.digest = c.digest)")
        .execute(&mut **tx)
        .await
        .map(|_| ())
}

/// Other hosts reload at once where they hear it; they look at the version every few seconds anyway.
pub(super) async fn announce(tx: &mut super::HostTx) -> Result<(), sqlx::Error> {
    sqlx::query("notify behalf_registry").execute(&mut **tx).await.map(|_| ())
}

fn read(row: &PgRow) -> Result<PluginRow, sqlx::Error> {
    let digest: Vec<u8> = row.try_get("digest")?;
    let tools: Json = row.try_get("tools")?;
    Ok(PluginRow {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        version: row.try_get("version")?,
        digest: digest.try_into().map_err(|_| sqlx::Error::Protocol("a digest has 32 bytes".into()))?,
        enabled: row.try_get("enabled")?,
        bundled: row.try_get("bundled")?,
        signature: row.try_get("signature")?,
        signer: row.try_get("signer")?,
        grants: row.try_get("grants")?,
        settings: row.try_get("settings")?,
        imports: row.try_get("imports")?,
        tools: match tools {
            Json::Array(tools) => tools,
            _ => Vec::new(),
        },
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}
