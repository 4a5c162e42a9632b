//! Table `ai.context_handlers`: searches that were made for runs, and those that the service role asked for by themselves.

use behalf_host_db::{HostDb, HostTx};
use behalf_identity::Principal;
use serde::Serialize;
use serde_json::Value as Json;
use sqlx::FromRow;
use utoipa::ToSchema;
use uuid::Uuid;

/// A search as clients see it.
#[derive(Clone, Debug, FromRow, Serialize, ToSchema)]
pub(crate) struct ContextHandler {
    /// Its id.
    pub(crate) id: Uuid,
    /// The run that searched; null where no run did.
    pub(crate) run_id: Option<String>,
    /// The tool that searched; null where it was done before the model was asked, or without a run.
    pub(crate) tool_name: Option<String>,
    /// The text that was searched for.
    pub(crate) query: String,
    /// `completed`, or `failed` where nothing could be searched.
    pub(crate) status: String,
    /// The bases, and how each was searched.
    #[schema(value_type = Vec<Object>)]
    pub(crate) knowledge_base_configs: Json,
    /// Tokens of the passages, at most.
    pub(crate) max_context_tokens: i32,
    /// The passages as a model reads them; null for searches of runs, of which excerpts are kept.
    pub(crate) formatted_context: Option<String>,
    /// The passages.
    #[schema(value_type = Vec<Object>)]
    pub(crate) retrieved_context: Json,
    /// Always an empty object.
    #[schema(value_type = Object)]
    pub(crate) metadata: Json,
    /// What failed.
    #[schema(value_type = Vec<String>)]
    pub(crate) errors: Json,
    /// RFC 3339.
    pub(crate) created_at: String,
}

/// A search to store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewContextHandler<'a> {
    /// Its id.
    pub(crate) id: Uuid,
    /// The run.
    pub(crate) run_id: Option<&'a str>,
    /// The tool.
    pub(crate) tool_name: Option<&'a str>,
    /// The text that was searched for.
    pub(crate) query: &'a str,
    /// The bases, and how each was searched.
    pub(crate) configs: &'a Json,
    /// Tokens of the passages, at most.
    pub(crate) max_context_tokens: u32,
    /// The passages as a model reads them.
    pub(crate) formatted: Option<&'a str>,
    /// The passages.
    pub(crate) retrieved: &'a Json,
    /// What failed.
    pub(crate) errors: &'a Json,
}

macro_rules! columns {
    () => {
        "id, run_id, tool_name, query, status, knowledge_base_configs, max_context_tokens, formatted_context, retrieved_context,
         metadata, errors, to_json(created_at) #>> '{}' as created_at"
    };
}

/// The table of searches.
#[derive(Clone, Debug)]
pub(crate) struct ContextHandlerStore {
    db: HostDb,
}

impl ContextHandlerStore {
    /// The store in this database.
    pub(crate) fn new(db: HostDb) -> Self {
        Self { db }
    }

    /// Stores a search.
    pub(crate) async fn create(&self, principal: &Principal, new: &NewContextHandler<'_>) -> Result<(), sqlx::Error> {
        let mut tx = self.db.begin(principal).await?;
        insert_context_handler(&mut tx, principal, new).await?;
        tx.commit().await
    }

    /// The search of this id.
    pub(crate) async fn find(&self, principal: &Principal, id: Uuid) -> Result<Option<ContextHandler>, sqlx::Error> {
        let mut tx = self.db.begin(principal).await?;
        let row = sqlx::query_as(concat!("select ", columns!(), " from ai.context_handlers where id = $1"))
            .bind(id)
            .fetch_optional(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(row)
    }

    /// Searches, newest first.
    pub(crate) async fn list(
        &self,
        principal: &Principal,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<ContextHandler>, sqlx::Error> {
        let mut tx = self.db.begin(principal).await?;
        let rows = sqlx::query_as(concat!(
            "select ",
            columns!(),
            " from ai.context_handlers order by context_handlers.created_at desc, id limit $1 offset $2"
        ))
        .bind(limit)
        .bind(offset)
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(rows)
    }
}

/// Adds a search in the caller's name.
pub(super) async fn insert_context_handler(
    tx: &mut HostTx,
    principal: &Principal,
    new: &NewContextHandler<'_>,
) -> Result<(), sqlx::Error> {
    let is_failed =
        new.retrieved.as_array().is_none_or(Vec::is_empty) && new.errors.as_array().is_some_and(|e| !e.is_empty());
    sqlx::query(
        "insert into ai.context_handlers (id, user_id, run_id, tool_name, query, status, knowledge_base_configs, max_context_tokens,
            formatted_context, retrieved_context, errors)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(new.id)
    .bind(principal.subject())
    .bind(new.run_id)
    .bind(new.tool_name)
    .bind(new.query)
    .bind(if is_failed { "failed" } else { "completed" })
    .bind(new.configs)
    .bind(i32::try_from(new.max_context_tokens).unwrap_or(i32::MAX))
    .bind(new.formatted)
    .bind(new.retrieved)
    .bind(new.errors)
    .execute(&mut **tx)
    .await
    .map(|_| ())
}
