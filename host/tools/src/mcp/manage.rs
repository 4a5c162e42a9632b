//! Creates, changes and deletes agents' MCP servers, and asks one for its tools.

use std::sync::Arc;
use std::time::Duration;

use behalf_contracts::{LeftOutTool, ToolInfo};
use behalf_host_db::Act;
use behalf_identity::Principal;
use behalf_problem::Problem as _;
use behalf_sandbox::Sandbox;
use behalf_schema::Unchecked;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::client::McpClient;
use super::discovery::Discovered;
use super::error::{MAX_SERVERS, McpServerError};
use super::server::Server;
use crate::store::{McpServerRow, McpServerStore};

/// How long a server that is created may take to list its tools: the answer waits for it.
const FIRST_LOOK: Duration = Duration::from_secs(5);

/// What a server offers.
#[derive(Debug)]
pub struct ServerTools {
    /// The tools, and what of their schemas arguments are not checked against.
    pub tools: Vec<(ToolInfo, Vec<Unchecked>)>,
    /// The tools that are left out.
    pub left_out: Vec<LeftOutTool>,
}

impl From<Discovered> for ServerTools {
    fn from(found: Discovered) -> Self {
        let tool = |tool: &std::sync::Arc<super::tool::McpTool>| (tool.info().clone(), tool.input.unchecked().to_vec());
        Self { tools: found.tools.iter().map(tool).collect(), left_out: found.left_out }
    }
}

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
    sandbox: Arc<Sandbox>,
}

impl McpServers {
    /// Puts the parts together.
    pub(crate) fn new(store: McpServerStore, client: McpClient, sandbox: Arc<Sandbox>) -> Self {
        Self { store, client, sandbox }
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
        self.sandbox.refuse_private(&Server::read(&row)?.uri).await?;
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
        self.sandbox.refuse_private(&Server::read(&row)?.uri).await?;
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
    pub async fn tools(&self, principal: &Principal, agent: Uuid, id: Uuid) -> Result<ServerTools, McpServerError> {
        let row = self.get(agent, id).await?;
        self.ask(principal, &row).await
    }

    /// The tools that a server offers which was just created; or why it offers none so far. It need not run yet.
    pub async fn first_look(&self, principal: &Principal, row: &McpServerRow) -> Result<ServerTools, String> {
        if !row.enabled {
            return Err("the server is switched off and was not asked for its tools".to_owned());
        }
        match tokio::time::timeout(FIRST_LOOK, self.ask(principal, row)).await {
            Ok(asked) => asked.map_err(|error| error.detail()),
            Err(_) => Err(format!("the server did not list its tools within {} seconds", FIRST_LOOK.as_secs())),
        }
    }

    async fn ask(&self, principal: &Principal, row: &McpServerRow) -> Result<ServerTools, McpServerError> {
        let asked = self.client.ask(principal, row.agent_id, Server::read(row)?).await;
        Ok(asked.map_err(|error| McpServerError::Upstream(error.detail().into()))?.into())
    }

    async fn get(&self, agent: Uuid, id: Uuid) -> Result<McpServerRow, McpServerError> {
        let servers = self.store.list(agent).await?;
        servers.into_iter().find(|server| server.id == id).ok_or(McpServerError::NotFound)
    }

    async fn require_agent(&self, principal: &Principal, agent: Uuid) -> Result<(), McpServerError> {
        if self.store.agent_exists(principal, agent).await? { Ok(()) } else { Err(McpServerError::NoAgent) }
    }
}
