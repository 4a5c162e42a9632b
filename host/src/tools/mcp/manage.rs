use serde_json::{Map, Value, json};
use thiserror::Error;
use uuid::Uuid;

use super::server::Server;
use crate::db::McpServerRow;
use crate::identity::Principal;
use crate::tools::definition::ToolInfo;
use crate::tools::outgoing::HeadersError;
use crate::tools::registry::Tools;
use crate::tools::rules::RuleError;

/// Servers of one agent: each is asked at the start of each run.
const MAX_SERVERS: usize = 16;

/// Why a server cannot be stored or asked.
#[derive(Debug, Error)]
pub enum McpServerError {
    /// The agent has none of this id.
    #[error("MCP server not found")]
    NotFound,
    /// Something is missing.
    #[error("name and url are required")]
    Missing,
    /// A name that is none.
    #[error("name must have 1 to 32 letters, digits, - and _, and begin with a letter or a digit")]
    Name,
    /// An address that no request could be sent to.
    #[error(
        "url must be of the form http(s)://host[:port]/path, without a user, and with numbers of hosts in their usual form"
    )]
    Address,
    /// Another transport.
    #[error("transport must be \"http\": streamable HTTP")]
    Transport,
    /// Settings that are no object.
    #[error("config must be a JSON object")]
    Config,
    /// Not a word for approvals.
    #[error("config.approval must be never, writes or always")]
    Approval,
    /// What is said of tools is of the wrong form.
    #[error("config.config_override and config.tools must be JSON objects")]
    Say,
    /// Rules that cannot be read.
    #[error("config: {0}")]
    Rules(#[from] RuleError),
    /// Outside the bounds.
    #[error("config.timeout_seconds must be a number from 1 to 300")]
    Timeout,
    /// The headers, or the identity.
    #[error(transparent)]
    Headers(#[from] HeadersError),
    /// The agent has one of this name.
    #[error("this agent has an MCP server of this name already")]
    Taken,
    /// The agent has many.
    #[error("an agent may have {MAX_SERVERS} MCP servers")]
    TooMany,
    /// It does not answer as it should.
    #[error("{0}")]
    Upstream(String),
    /// The database failed.
    #[error("the table of MCP servers cannot be used")]
    Database(#[from] sqlx::Error),
}

/// Fields of a server; those that are none stay as they are.
#[derive(Clone, Default)]
pub struct McpServerChange {
    /// Its name.
    pub name: Option<String>,
    /// Its address.
    pub url: Option<String>,
    /// Its transport.
    pub transport: Option<String>,
    /// Its headers, replaced whole.
    pub headers: Option<Value>,
    /// Its settings, replaced whole.
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

impl Tools {
    /// An agent's servers, with their settings: for operators alone.
    pub async fn mcp_servers(&self, agent: Uuid) -> Result<Vec<McpServerRow>, McpServerError> {
        Ok(self.db.mcp_servers(agent).await?)
    }

    /// Gives an agent a server. It is not asked anything yet.
    pub async fn create_mcp_server(&self, agent: Uuid, wish: McpServerChange) -> Result<McpServerRow, McpServerError> {
        let given = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        if !given(&wish.name) || !given(&wish.url) {
            return Err(McpServerError::Missing);
        }
        if self.db.mcp_servers(agent).await?.len() >= MAX_SERVERS {
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
        wish.apply(&mut row);
        Server::read(&row)?;
        self.db.create_mcp_server(&row).await?.ok_or(McpServerError::Taken)
    }

    /// Changes a server.
    pub async fn change_mcp_server(
        &self,
        agent: Uuid,
        id: Uuid,
        wish: McpServerChange,
    ) -> Result<McpServerRow, McpServerError> {
        let mut row = self.mcp_server(agent, id).await?;
        wish.apply(&mut row);
        Server::read(&row)?;
        match self.db.change_mcp_server(&row).await {
            Ok(changed) => changed.ok_or(McpServerError::NotFound),
            Err(sqlx::Error::Database(refusal)) if refusal.is_unique_violation() => Err(McpServerError::Taken),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes a server from an agent.
    pub async fn delete_mcp_server(&self, agent: Uuid, id: Uuid) -> Result<(), McpServerError> {
        if self.db.delete_mcp_server(agent, id).await? { Ok(()) } else { Err(McpServerError::NotFound) }
    }

    /// What a server offers this caller now, asked afresh.
    pub async fn mcp_server_tools(
        &self,
        principal: &Principal,
        agent: Uuid,
        id: Uuid,
    ) -> Result<Vec<ToolInfo>, McpServerError> {
        let row = self.mcp_server(agent, id).await?;
        let server = Server::read(&row)?;
        let asked = self.ask_for_tools(principal, agent, server).await;
        let tools = asked.map_err(|error| McpServerError::Upstream(error.to_string()))?;
        Ok(tools.iter().map(|tool| tool.info.clone()).collect())
    }

    async fn mcp_server(&self, agent: Uuid, id: Uuid) -> Result<McpServerRow, McpServerError> {
        let servers = self.db.mcp_servers(agent).await?;
        servers.into_iter().find(|server| server.id == id).ok_or(McpServerError::NotFound)
    }
}
