//! Table `ai.agent_mcp_servers`: servers whose tools an agent may call.

use behalf_host_db::{Act, HostDb};
use behalf_identity::Principal;
use serde_json::Value as Json;
use sqlx::FromRow;
use uuid::Uuid;

/// A server as it is stored. Its headers may hold secrets, so it does not print them.
#[derive(Clone, FromRow, PartialEq)]
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

/// The columns of an [`McpServerRow`].
macro_rules! columns {
    () => {
        "id, agent_id, name, url, transport, headers, config, enabled,
         to_json(created_at) #>> '{}' as created_at, to_json(updated_at) #>> '{}' as updated_at"
    };
}

/// The table of agents' MCP servers.
#[derive(Clone, Debug)]
pub struct McpServerStore {
    db: HostDb,
}

impl McpServerStore {
    /// The store in this database.
    pub fn new(db: HostDb) -> Self {
        Self { db }
    }

    /// Whether the principal can see an agent of this id.
    pub async fn agent_exists(&self, principal: &Principal, agent: Uuid) -> Result<bool, sqlx::Error> {
        let mut tx = self.db.begin(principal).await?;
        let exists = sqlx::query_scalar("select exists (select from ai.agents where id = $1)")
            .bind(agent)
            .fetch_one(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(exists)
    }

    /// An agent's servers by name.
    pub async fn list(&self, agent: Uuid) -> Result<Vec<McpServerRow>, sqlx::Error> {
        let mut tx = self.db.begin_as_host().await?;
        let rows = sqlx::query_as(concat!(
            "select ",
            columns!(),
            " from ai.agent_mcp_servers where agent_id = $1 order by name"
        ))
        .bind(agent)
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(rows)
    }

    /// Stores a server; its id and times are the database's. `None` where the agent has one of this name.
    pub async fn create(&self, act: Act<'_>, server: &McpServerRow) -> Result<Option<McpServerRow>, sqlx::Error> {
        let mut tx = self.db.begin_act(act).await?;
        let row = sqlx::query_as(concat!(
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
        Ok(row)
    }

    /// Stores a server's fields again; `None` where it is gone. Fails where the agent has another one of this name.
    pub async fn change(&self, act: Act<'_>, server: &McpServerRow) -> Result<Option<McpServerRow>, sqlx::Error> {
        let mut tx = self.db.begin_act(act).await?;
        let row = sqlx::query_as(concat!(
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
        Ok(row)
    }

    /// Deletes a server of an agent; false where the agent has none of this id.
    pub async fn delete(&self, act: Act<'_>, agent: Uuid, id: Uuid) -> Result<bool, sqlx::Error> {
        let mut tx = self.db.begin_act(act).await?;
        let done = sqlx::query("delete from ai.agent_mcp_servers where agent_id = $1 and id = $2")
            .bind(agent)
            .bind(id)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(done.rows_affected() > 0)
    }
}
