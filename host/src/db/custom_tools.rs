//! Table `ai.tools`: custom tools, which an operator describes and a server of theirs carries out.

use serde_json::Value as Json;
use sqlx::Row;
use sqlx::postgres::PgRow;
use thiserror::Error;
use uuid::Uuid;

use super::Db;
use super::plugins::announce;

/// A custom tool as it is stored. Its settings may hold secrets, so it does not print them.
#[derive(Clone, PartialEq)]
pub struct CustomToolRow {
    /// Its id.
    pub id: Uuid,
    /// Its name, unique among all tools.
    pub name: String,
    /// For models.
    pub description: String,
    /// What the operator calls its kind; free text.
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

/// Fields of a custom tool; those that are none stay as they are.
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
    /// New settings, replaced whole.
    pub config: Option<Json>,
}

impl std::fmt::Debug for CustomToolChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CustomToolChange").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Why a custom tool was not stored.
#[derive(Debug, Error)]
pub enum CustomToolError {
    /// Another tool has this name.
    #[error("a tool with this name exists already; GET /api/tools lists them")]
    Taken,
    /// The database failed.
    #[error("the table of custom tools cannot be written")]
    Database(#[source] sqlx::Error),
}

impl From<sqlx::Error> for CustomToolError {
    fn from(error: sqlx::Error) -> Self {
        match error.as_database_error() {
            Some(refusal) if refusal.is_unique_violation() => Self::Taken,
            _ => Self::Database(error),
        }
    }
}

/// What every statement here returns.
macro_rules! columns {
    () => {
        "id, name, description, type, input_schema, config,
         to_json(created_at) #>> '{}' as created_at, to_json(updated_at) #>> '{}' as updated_at"
    };
}

/// Every custom tool, for the registry.
pub(super) const ALL: &str = concat!("select ", columns!(), " from ai.tools order by name");

impl Db {
    /// The custom tool of this id.
    pub async fn custom_tool(&self, id: Uuid) -> Result<Option<CustomToolRow>, sqlx::Error> {
        let mut tx = self.begin_as_host().await?;
        let row = sqlx::query(concat!("select ", columns!(), " from ai.tools where id = $1"))
            .bind(id)
            .fetch_optional(&mut *tx)
            .await?;
        tx.commit().await?;
        row.as_ref().map(read).transpose()
    }

    /// Stores a custom tool; a field that is none is stored empty.
    pub async fn create_custom_tool(&self, tool: &CustomToolChange) -> Result<CustomToolRow, CustomToolError> {
        let mut tx = self.begin_change().await?;
        let row = sqlx::query(concat!(
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
        Ok(read(&row)?)
    }

    /// Changes a custom tool; none where it does not exist. Agents that have it keep it under its new name.
    pub async fn change_custom_tool(
        &self,
        id: Uuid,
        change: &CustomToolChange,
    ) -> Result<Option<CustomToolRow>, CustomToolError> {
        let mut tx = self.begin_change().await?;
        let row = sqlx::query(concat!(
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
            sqlx::query(
                "update ai.agent_tools a set tool_name = t.name from ai.tools t
                 where t.id = $1 and a.tool_id = t.id and a.tool_name <> t.name",
            )
            .bind(id)
            .execute(&mut *tx)
            .await?;
        }
        announce(&mut tx).await?;
        tx.commit().await?;
        Ok(row.as_ref().map(read).transpose()?)
    }

    /// Deletes a custom tool, also from agents; false where it does not exist.
    pub async fn delete_custom_tool(&self, id: Uuid) -> Result<bool, sqlx::Error> {
        let mut tx = self.begin_change().await?;
        let done = sqlx::query("delete from ai.tools where id = $1").bind(id).execute(&mut *tx).await?;
        announce(&mut tx).await?;
        tx.commit().await?;
        Ok(done.rows_affected() > 0)
    }
}

pub(super) fn read(row: &PgRow) -> Result<CustomToolRow, sqlx::Error> {
    Ok(CustomToolRow {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        description: row.try_get("description")?,
        kind: row.try_get("type")?,
        input_schema: row.try_get("input_schema")?,
        config: row.try_get("config")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}
