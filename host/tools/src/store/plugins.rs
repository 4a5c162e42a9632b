//! Tables `ai.component`, `ai.plugins` and `ai.plugin_tools`: the plugins that are registered, the same on every host.

use behalf_host_db::{Act, HostDb, HostTx};
use serde_json::Value as Json;
use sqlx::FromRow;
use thiserror::Error;
use uuid::Uuid;

use super::change::{announce, begin_change};
use super::plugin_tools;

/// A plugin as it is stored.
#[derive(Clone, Debug, FromRow)]
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
    /// The trusted key that made the signature, where there is one.
    pub signer: Option<String>,
    /// What it may do.
    pub grants: Json,
    /// What it asks for beyond that, until an operator sets the grants.
    pub requested: Option<Json>,
    /// Values for it.
    pub settings: Json,
    /// Interfaces it imports.
    pub imports: Json,
    /// Definitions of its tools, in order; `calledBy` is the name that callers use.
    #[sqlx(json)]
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
    /// Do not replace a newer version: the signature of an old one never expires, so whoever kept it could bring it back.
    pub only_newer: bool,
}

/// A registered plugin, as far as a new version has to respect it.
#[derive(Clone, Debug, FromRow)]
pub struct HeldPlugin {
    /// Its version.
    pub version: String,
    /// Whether it came with the host.
    pub bundled: bool,
    /// What it may do.
    pub grants: Json,
    /// Whether an operator set its grants.
    #[sqlx(rename = "grants_decided")]
    pub decided: bool,
    /// The grants that it came with.
    pub asked: Json,
    /// What it asks for beyond its grants.
    pub requested: Option<Json>,
}

/// The grants of a version that is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionGrants {
    /// What it may do.
    pub grants: Json,
    /// Whether an operator set that.
    pub decided: bool,
    /// The grants that it comes with.
    pub asked: Json,
    /// What it asks for beyond its grants.
    pub requested: Option<Json>,
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

/// Why a plugin was not stored.
#[derive(Debug, Error)]
pub enum PluginStoreError {
    /// Another plugin or a custom tool has this name, and the tool cannot be called by its full one either.
    #[error(
        "the tool name {name:?} belongs to {owner}; rename the tool or the plugin, so that plugin__tool is free and has 64 characters at most"
    )]
    ToolTaken {
        /// The name.
        name: String,
        /// Who has it.
        owner: String,
    },
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

const SOME: &str = "select p.id, p.name, p.version, p.digest, p.enabled, p.bundled, p.signature, p.signer, p.grants, p.requested, p.settings, p.imports,
        to_json(p.created_at) #>> '{}' as created_at, to_json(p.updated_at) #>> '{}' as updated_at,
        coalesce((select jsonb_agg(t.definition || jsonb_build_object('calledBy', t.name) order by t.position) from ai.plugin_tools t where t.plugin_id = p.id), '[]') as tools
    from ai.plugins p where p.id = any($1) order by p.name";

/// The state of every plugin. A plugin's row is written with each change of its tools.
pub(super) async fn states(tx: &mut HostTx) -> Result<Vec<(Uuid, String)>, sqlx::Error> {
    sqlx::query_as("select id, xmin::text from ai.plugins").fetch_all(&mut **tx).await
}

/// These plugins with their tools, in order of names.
pub(super) async fn some(tx: &mut HostTx, ids: &[Uuid]) -> Result<Vec<PluginRow>, sqlx::Error> {
    sqlx::query_as(SOME).bind(ids).fetch_all(&mut **tx).await
}

/// The tables of plugins.
#[derive(Clone, Debug)]
pub struct PluginStore {
    db: HostDb,
}

impl PluginStore {
    /// The store in this database.
    pub fn new(db: HostDb) -> Self {
        Self { db }
    }

    /// A component's bytes.
    pub async fn component(&self, digest: [u8; 32]) -> Result<Option<Vec<u8>>, sqlx::Error> {
        let mut tx = self.db.begin_as_host().await?;
        let bytes = sqlx::query_scalar("select bytes from ai.component where digest = $1")
            .bind(&digest[..])
            .fetch_optional(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(bytes)
    }

    /// Names of plugins that an operator deleted.
    pub async fn removed(&self) -> Result<Vec<String>, sqlx::Error> {
        let mut tx = self.db.begin_as_host().await?;
        let names = sqlx::query_scalar("select name from ai.removed_plugins order by name").fetch_all(&mut *tx).await?;
        tx.commit().await?;
        Ok(names)
    }

    /// Forgets that an operator deleted a plugin of this name; false where none did.
    pub async fn forget_removal(&self, act: Act<'_>, name: &str) -> Result<bool, sqlx::Error> {
        let mut tx = begin_change(&self.db, act).await?;
        let done = sqlx::query("delete from ai.removed_plugins where name = $1").bind(name).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(done.rows_affected() > 0)
    }

    /// Remembers that a plugin of this name is deleted.
    pub async fn remember_removal(&self, act: Act<'_>, name: &str) -> Result<(), sqlx::Error> {
        let mut tx = begin_change(&self.db, act).await?;
        insert_removal(&mut tx, name).await?;
        tx.commit().await
    }

    /// Stores a plugin with its tools, all or nothing. `settle` says what it may do, in the transaction that stores it. A plugin
    /// that comes with the host is not stored, and the answer is none, where an operator deleted it or has registered another
    /// one of its name.
    pub async fn store(
        &self,
        act: Act<'_>,
        plugin: &NewPlugin<'_>,
        settle: impl FnOnce(Option<&HeldPlugin>) -> VersionGrants + Send,
    ) -> Result<Option<Uuid>, PluginStoreError> {
        let mut tx = begin_change(&self.db, act).await?;
        let held = held(&mut tx, plugin.name).await?;
        if plugin.bundled
            && (held.as_ref().is_some_and(|held| !held.bundled) || is_removed(&mut tx, plugin.name).await?)
        {
            return Ok(None);
        }
        let grants = settle(held.as_ref());
        if plugin.only_newer {
            refuse_older(&mut tx, plugin).await?;
        }
        sqlx::query("insert into ai.component (digest, bytes) values ($1, $2) on conflict do nothing")
            .bind(&plugin.digest[..])
            .bind(plugin.component)
            .execute(&mut *tx)
            .await?;
        let id = insert_plugin(&mut tx, plugin, &grants).await?;
        plugin_tools::replace(&mut tx, id, plugin).await?;
        delete_unused_components(&mut tx).await?;
        announce(&mut tx).await?;
        tx.commit().await?;
        Ok(Some(id))
    }

    /// Changes a plugin; false where it does not exist.
    pub async fn change(&self, act: Act<'_>, id: Uuid, change: &PluginChange) -> Result<bool, sqlx::Error> {
        let mut tx = begin_change(&self.db, act).await?;
        let done = sqlx::query(
            "update ai.plugins set grants = coalesce($2, grants), grants_decided = grants_decided or $2 is not null,
                 requested = case when $2 is null then requested end, enabled = coalesce($3, enabled),
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
        Ok(done.rows_affected() > 0)
    }

    /// Deletes a plugin and its tools; false where it does not exist.
    pub async fn delete(&self, act: Act<'_>, id: Uuid) -> Result<bool, sqlx::Error> {
        let mut tx = begin_change(&self.db, act).await?;
        let name: Option<String> = sqlx::query_scalar("delete from ai.plugins where id = $1 returning name")
            .bind(id)
            .fetch_optional(&mut *tx)
            .await?;
        // Without this, a host that starts would register a plugin of its own again.
        if let (Some(name), Act::Request { .. }) = (&name, act) {
            insert_removal(&mut tx, name).await?;
        }
        delete_unused_components(&mut tx).await?;
        announce(&mut tx).await?;
        tx.commit().await?;
        Ok(name.is_some())
    }
}

async fn held(tx: &mut HostTx, name: &str) -> Result<Option<HeldPlugin>, sqlx::Error> {
    sqlx::query_as("select version, bundled, grants, grants_decided, asked, requested from ai.plugins where name = $1")
        .bind(name)
        .fetch_optional(&mut **tx)
        .await
}

async fn insert_removal(tx: &mut HostTx, name: &str) -> Result<(), sqlx::Error> {
    let insert = sqlx::query("insert into ai.removed_plugins (name) values ($1) on conflict do nothing");
    insert.bind(name).execute(&mut **tx).await.map(drop)
}

async fn is_removed(tx: &mut HostTx, name: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select exists (select from ai.removed_plugins where name = $1)")
        .bind(name)
        .fetch_one(&mut **tx)
        .await
}

/// Inserts the row of a plugin, or replaces the one of its name.
async fn insert_plugin(
    tx: &mut HostTx,
    plugin: &NewPlugin<'_>,
    grants: &VersionGrants,
) -> Result<Uuid, PluginStoreError> {
    sqlx::query_scalar(
        "insert into ai.plugins as p
             (name, version, digest, grants, imports, bundled, signature, signer, grants_decided, asked, requested)
         values ($1, $2, $3, $4, $5, $6, $8, $9, $10, $11, $12)
         on conflict (name) do update set version = excluded.version, digest = excluded.digest, grants = excluded.grants,
             grants_decided = excluded.grants_decided, asked = excluded.asked, requested = excluded.requested,
             imports = excluded.imports, bundled = excluded.bundled, signature = excluded.signature, signer = excluded.signer,
             updated_at = now()
         where $7
         returning id",
    )
    .bind(plugin.name)
    .bind(plugin.version)
    .bind(&plugin.digest[..])
    .bind(&grants.grants)
    .bind(plugin.imports)
    .bind(plugin.bundled)
    .bind(plugin.replace)
    .bind(plugin.signature)
    .bind(plugin.signer)
    .bind(grants.decided)
    .bind(&grants.asked)
    .bind(&grants.requested)
    .fetch_optional(&mut **tx)
    .await?
    .ok_or_else(|| PluginStoreError::NameTaken(plugin.name.to_owned()))
}

async fn refuse_older(tx: &mut HostTx, plugin: &NewPlugin<'_>) -> Result<(), PluginStoreError> {
    let held: Option<String> = sqlx::query_scalar("select version from ai.plugins where name = $1")
        .bind(plugin.name)
        .fetch_optional(&mut **tx)
        .await?;
    let number = |text: &str| semver::Version::parse(text).ok();
    match held {
        Some(held) if number(&held) > number(plugin.version) => {
            Err(PluginStoreError::Older { held, given: plugin.version.to_owned() })
        }
        _ => Ok(()),
    }
}

async fn delete_unused_components(tx: &mut HostTx) -> Result<(), sqlx::Error> {
    sqlx::query("delete from ai.component c where not exists (select from ai.plugins p where p.digest = c.digest)")
        .execute(&mut **tx)
        .await
        .map(|_| ())
}
