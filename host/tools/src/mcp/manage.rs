//! Creates, changes and deletes agents' MCP servers, and asks one for its tools.

use behalf_contracts::ToolInfo;
use behalf_host_db::Act;
use behalf_identity::Principal;
use behalf_problem::Problem as _;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::client::McpClient;
use super::error::{MAX_SERVERS, McpServerError};
use super::server::Server;
use crate::store::{McpServerRow, McpServerStore};

/// Fields of a server; a field that is `None` stays as it is.
#[derive(Clone, Default)]
pub struct McpServerChange {
    /// Its name.
    pub name: Option<String>,
    /// Its address.
    pub url: Option<String>,
    /// Its transport.
    pub transport: Option<String>,
    /// Its headers, which replace the old ones as a whole.
    pub headers: Option<Value>,
    /// Its settings, which replace the old ones as a whole.
    pub config: Option<Value>,
    /// Whether its tools are offered.
    pub enabled: Option<bool>,
}

impl std::fmt::Debug for McpServerChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("McpServerChange").field("name", &self.name).finish_non_exhaustive()
    }
}

impl McpServerChange {
    fn apply(self, row: &mut McpServerRow) {
        let Self { name, url, transport, headers, config, enabled } = self;
        row.name = name.unwrap_or_else(|| std::mem::take(&mut row.name));
        row.url = url.unwrap_or_else(|| std::mem::take(&mut row.url));
        row.transport = transport.unwrap_or_else(|| std::mem::take(&mut row.transport));
        row.headers = headers.unwrap_or_else(|| row.headers.take());
        row.config = config.unwrap_or_else(|| row.config.take());
        row.enabled = enabled.unwrap_or(row.enabled);
    }
}

/// Creates, changes and deletes agents' MCP servers.
#[derive(Clone, Debug)]
pub struct McpServers {
    store: McpServerStore,
    client: McpClient,
}

impl McpServers {
    /// Puts the parts together.
    pub(crate) fn new(store: McpServerStore, client: McpClient) -> Self {
        Self { store, client }
    }

    /// An agent's servers, with their settings. Only operators may see those.
    pub async fn list(&self, principal: &Principal, agent: Uuid) -> Result<Vec<McpServerRow>, McpServerError> {
        self.require_agent(principal, agent).await?;
        Ok(self.store.list(agent).await?)
    }

    /// Gives an agent a server. The server is not asked for anything yet.
    pub async fn create(
        &self,
        principal: &Principal,
        act: Act<'_>,
        agent: Uuid,
        server: McpServerChange,
    ) -> Result<McpServerRow, McpServerError> {
        self.require_agent(principal, agent).await?;
        let given = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        if !given(&server.name) || !given(&server.url) {
            return Err(McpServerError::Missing);
        }
        if self.store.list(agent).await?.len() >= MAX_SERVERS {
            return Err(McpServerError::TooMany);
        }
        let mut row = McpServerRow {
            id: Uuid::nil(),
            agent_id: agent,
            name: String::new(),
            url: String::new(),
            transport: "http".to_owned(),
            headers: Value::Object(Map::new()),
            config: json!({}),
            enabled: true,
            created_at: String::new(),
            updated_at: String::new(),
        };
        server.apply(&mut row);
        Server::read(&row)?;
        self.store.create(act, &row).await?.ok_or(McpServerError::Taken)
    }

    /// Changes a server.
    pub async fn change(
        &self,
        act: Act<'_>,
        agent: Uuid,
        id: Uuid,
        change: McpServerChange,
    ) -> Result<McpServerRow, McpServerError> {
        let mut row = self.get(agent, id).await?;
        change.apply(&mut row);
        Server::read(&row)?;
        match self.store.change(act, &row).await {
            Ok(changed) => changed.ok_or(McpServerError::NotFound),
            Err(sqlx::Error::Database(refusal)) if refusal.is_unique_violation() => Err(McpServerError::Taken),
            Err(error) => Err(error.into()),
        }
    }

    /// Deletes a server of an agent.
    pub async fn delete(&self, act: Act<'_>, agent: Uuid, id: Uuid) -> Result<(), McpServerError> {
        if self.store.delete(act, agent, id).await? { Ok(()) } else { Err(McpServerError::NotFound) }
    }

    /// The tools that a server offers this caller now.
    pub async fn tools(&self, principal: &Principal, agent: Uuid, id: Uuid) -> Result<Vec<ToolInfo>, McpServerError> {
        let row = self.get(agent, id).await?;
        let server = Server::read(&row)?;
        let asked = self.client.ask(principal, agent, server).await;
        let tools = asked.map_err(|error| McpServerError::Upstream(error.detail().into()))?;
        Ok(tools.iter().map(|tool| tool.info().clone()).collect())
    }

    async fn get(&self, agent: Uuid, id: Uuid) -> Result<McpServerRow, McpServerError> {
        let servers = self.store.list(agent).await?;
        servers.into_iter().find(|server| server.id == id).ok_or(McpServerError::NotFound)
    }

    async fn require_agent(&self, principal: &Principal, agent: Uuid) -> Result<(), McpServerError> {
        if self.store.agent_exists(principal, agent).await? { Ok(()) } else { Err(McpServerError::NoAgent) }
    }
}
