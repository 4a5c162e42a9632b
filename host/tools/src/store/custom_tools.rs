//! Table `ai.tools`: custom tools, which an operator describes and a server of the operator's carries out.

use behalf_host_db::{Act, HostDb, HostTx};
use serde_json::Value as Json;
use sqlx::FromRow;
use sqlx::postgres::PgDatabaseError;
use thiserror::Error;
use uuid::Uuid;

use super::change::{announce, begin_change};

/// A custom tool as it is stored. Its settings may hold secrets, so it does not print them.
#[derive(Clone, FromRow, PartialEq)]
pub struct CustomToolRow {
    /// Its id.
    pub id: Uuid,
    /// Its name, unique among all tools.
    pub name: String,
    /// Its description, for models.
    pub description: String,
    /// What the operator calls its kind; free text.
    #[sqlx(rename = "type")]
    pub kind: String,
    /// JSON Schema of its arguments.
    pub input_schema: Json,
    /// Where and how it is called.
    pub config: Json,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub updated_at: String,
}

impl std::fmt::Debug for CustomToolRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CustomToolRow").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}

/// Fields of a custom tool; a field that is `None` stays as it is.
#[derive(Clone, Default)]
pub struct CustomToolChange {
    /// New name.
    pub name: Option<String>,
    /// New description.
    pub description: Option<String>,
    /// New kind.
    pub kind: Option<String>,
    /// New schema.
    pub input_schema: Option<Json>,
    /// New settings, which replace the old ones as a whole.
    pub config: Option<Json>,
}

impl std::fmt::Debug for CustomToolChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CustomToolChange").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Why a custom tool was not stored.
#[derive(Debug, Error)]
pub enum CustomToolStoreError {
    /// Another tool has this name.
    #[error("a tool with this name exists already and belongs to {0}; GET /api/tools lists them")]
    Taken(String),
    /// The database failed.
    #[error("the table of custom tools cannot be written")]
    Database(#[source] sqlx::Error),
}

impl From<sqlx::Error> for CustomToolStoreError {
    fn from(error: sqlx::Error) -> Self {
        match error.as_database_error() {
            Some(refusal) if refusal.is_unique_violation() => {
                // The trigger that compares names says who has this one. The table's own index knows custom tools alone.
                let owner = refusal.try_downcast_ref::<PgDatabaseError>().and_then(PgDatabaseError::hint);
                Self::Taken(owner.unwrap_or("a custom tool").to_owned())
            }
            _ => Self::Database(error),
        }
    }
}

/// The columns of a [`CustomToolRow`].
macro_rules! columns {
    () => {
        "id, name, description, type, input_schema, config,
         to_json(created_at) #>> '{}' as created_at, to_json(updated_at) #>> '{}' as updated_at"
    };
}

/// The state of every custom tool.
pub(super) async fn states(tx: &mut HostTx) -> Result<Vec<(Uuid, String)>, sqlx::Error> {
    sqlx::query_as("select id, xmin::text from ai.tools").fetch_all(&mut **tx).await
}

/// These custom tools, in order of names.
pub(super) async fn some(tx: &mut HostTx, ids: &[Uuid]) -> Result<Vec<CustomToolRow>, sqlx::Error> {
    sqlx::query_as(concat!("select ", columns!(), " from ai.tools where id = any($1) order by name"))
        .bind(ids)
        .fetch_all(&mut **tx)
        .await
}

/// The table of custom tools.
#[derive(Clone, Debug)]
pub struct CustomToolStore {
    db: HostDb,
}

impl CustomToolStore {
    /// The store in this database.
    pub fn new(db: HostDb) -> Self {
        Self { db }
    }

    /// The custom tool of this id.
    pub async fn get(&self, id: Uuid) -> Result<Option<CustomToolRow>, sqlx::Error> {
        let mut tx = self.db.begin_as_host().await?;
        let row = sqlx::query_as(concat!("select ", columns!(), " from ai.tools where id = $1"))
            .bind(id)
            .fetch_optional(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(row)
    }

    /// Stores a custom tool.
    pub async fn create(&self, act: Act<'_>, tool: &CustomToolChange) -> Result<CustomToolRow, CustomToolStoreError> {
        let mut tx = begin_change(&self.db, act).await?;
        let row = sqlx::query_as(concat!(
            "insert into ai.tools (name, description, type, input_schema, config)
             values ($1, $2, $3, $4, coalesce($5, '{}')) returning ",
            columns!()
        ))
        .bind(&tool.name)
        .bind(&tool.description)
        .bind(&tool.kind)
        .bind(&tool.input_schema)
        .bind(&tool.config)
        .fetch_one(&mut *tx)
        .await?;
        announce(&mut tx).await?;
        tx.commit().await?;
        Ok(row)
    }

    /// Changes a custom tool; `None` where it does not exist. Agents that have it keep it under its new name.
    pub async fn change(
        &self,
        act: Act<'_>,
        id: Uuid,
        change: &CustomToolChange,
    ) -> Result<Option<CustomToolRow>, CustomToolStoreError> {
        let mut tx = begin_change(&self.db, act).await?;
        let row = sqlx::query_as(concat!(
            "update ai.tools set name = coalesce($2, name), description = coalesce($3, description),
                 type = coalesce($4, type), input_schema = coalesce($5, input_schema), config = coalesce($6, config),
                 updated_at = now()
             where id = $1 returning ",
            columns!()
        ))
        .bind(id)
        .bind(&change.name)
        .bind(&change.description)
        .bind(&change.kind)
        .bind(&change.input_schema)
        .bind(&change.config)
        .fetch_optional(&mut *tx)
        .await?;
        if change.name.is_some() {
            rename_in_agents(&mut tx, id).await?;
        }
        announce(&mut tx).await?;
        tx.commit().await?;
        Ok(row)
    }

    /// Deletes a custom tool, also from agents; false where it does not exist.
    pub async fn delete(&self, act: Act<'_>, id: Uuid) -> Result<bool, sqlx::Error> {
        let mut tx = begin_change(&self.db, act).await?;
        let done = sqlx::query("delete from ai.tools where id = $1").bind(id).execute(&mut *tx).await?;
        announce(&mut tx).await?;
        tx.commit().await?;
        Ok(done.rows_affected() > 0)
    }
}

/// Gives the assignments of a tool its new name.
async fn rename_in_agents(tx: &mut HostTx, id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update ai.agent_tools a set tool_name = t.name from ai.tools t
         where t.id = $1 and a.tool_id = t.id and a.tool_name <> t.name",
    )
    .bind(id)
    .execute(&mut **tx)
    .await
    .map(|_| ())
}
