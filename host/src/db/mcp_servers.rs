//! Table `ai.agent_mcp_servers`: servers whose tools an agent may call.

use serde::Serialize;
use serde_json::Value as Json;
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::Db;

/// A server as it is stored. Its headers may hold secrets, so it does not print them.
#[derive(Clone, PartialEq, Serialize)]
pub struct McpServerRow {
    /// Its id.
    pub id: Uuid,
    /// The agent it belongs to.
    pub agent_id: Uuid,
    /// Its name, unique within the agent; part of its tools' names.
    pub name: String,
    /// Its address.
    pub url: String,
    /// `http`: streamable HTTP.
    pub transport: String,
    /// Static headers.
    pub headers: Json,
    /// `identity`, `timeout_seconds`.
    pub config: Json,
    /// Whether its tools are offered.
    pub enabled: bool,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub updated_at: String,
}

impl std::fmt::Debug for McpServerRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("McpServerRow").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}

/// What every statement here returns.
macro_rules! columns {
    () => {
        "id, agent_id, name, url, transport, headers, config, enabled,
         to_json(created_at) #>> '{}' as created_at, to_json(updated_at) #>> '{}' as updated_at"
    };
}

impl Db {
    /// An agent's servers by name.
    pub async fn mcp_servers(&self, agent: Uuid) -> Result<Vec<McpServerRow>, sqlx::Error> {
        let mut tx = self.begin_as_host().await?;
        let rows =
            sqlx::query(concat!("select ", columns!(), " from ai.agent_mcp_servers where agent_id = $1 order by name"))
                .bind(agent)
                .fetch_all(&mut *tx)
                .await?;
        tx.commit().await?;
        rows.iter().map(read).collect()
    }

    /// Stores a server; its id and times are the database's. None where the agent has one of this name.
    pub async fn create_mcp_server(&self, server: &McpServerRow) -> Result<Option<McpServerRow>, sqlx::Error> {
        let mut tx = self.begin_as_host().await?;
        let row = sqlx::query(concat!(
            "insert into ai.agent_mcp_servers (agent_id, name, url, transport, headers, config, enabled)
             values ($1, $2, $3, $4, $5, $6, $7) on conflict (agent_id, name) do nothing returning ",
            columns!()
        ))
        .bind(server.agent_id)
        .bind(&server.name)
        .bind(&server.url)
        .bind(&server.transport)
        .bind(&server.headers)
        .bind(&server.config)
        .bind(server.enabled)
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        row.as_ref().map(read).transpose()
    }

    /// Stores a server's fields again; none where it is gone. Fails where the agent has another one of this name.
    pub async fn change_mcp_server(&self, server: &McpServerRow) -> Result<Option<McpServerRow>, sqlx::Error> {
        let mut tx = self.begin_as_host().await?;
        let row = sqlx::query(concat!(
            "update ai.agent_mcp_servers set name = $3, url = $4, transport = $5, headers = $6, config = $7, enabled = $8,
                 updated_at = now()
             where agent_id = $1 and id = $2 returning ",
            columns!()
        ))
        .bind(server.agent_id)
        .bind(server.id)
        .bind(&server.name)
        .bind(&server.url)
        .bind(&server.transport)
        .bind(&server.headers)
        .bind(&server.config)
        .bind(server.enabled)
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        row.as_ref().map(read).transpose()
    }

    /// Takes a server from an agent; false where it has none of this id.
    pub async fn delete_mcp_server(&self, agent: Uuid, id: Uuid) -> Result<bool, sqlx::Error> {
        let mut tx = self.begin_as_host().await?;
        let done = sqlx::query("delete from ai.agent_mcp_servers where agent_id = $1 and id = $2")
            .bind(agent)
            .bind(id)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(done.rows_affected() > 0)
    }
}

fn read(row: &PgRow) -> Result<McpServerRow, sqlx::Error> {
    Ok(McpServerRow {
        id: row.try_get("id")?,
        agent_id: row.try_get("agent_id")?,
        name: row.try_get("name")?,
        url: row.try_get("url")?,
        transport: row.try_get("transport")?,
        headers: row.try_get("headers")?,
        config: row.try_get("config")?,
        enabled: row.try_get("enabled")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}
