//! Why an MCP server cannot be stored or asked.

use behalf_contracts::RuleError;
use behalf_problem::{Kind, Private, Problem};
use behalf_sandbox::DestinationError;
use thiserror::Error;

use crate::outgoing::HeadersError;

/// Servers of one agent; each is asked at the start of each run.
pub(super) const MAX_SERVERS: usize = 16;

/// Why a server cannot be stored or asked.
#[derive(Debug, Error)]
pub enum McpServerError {
    /// The agent has none of this id.
    #[error("MCP server not found")]
    NotFound,
    /// There is no agent of this id.
    #[error("Agent not found")]
    NoAgent,
    /// A field is missing.
    #[error("name and url are required")]
    Missing,
    /// A name that a server may not have.
    #[error("name must have 1 to 32 letters, digits, - and _, and begin with a letter or a digit")]
    Name,
    /// An address that no request could be sent to.
    #[error(
        "url must be of the form http(s)://host[:port]/path, without a user, and with numbers of hosts in their usual form"
    )]
    Address,
    /// No request would be sent to its address.
    #[error("url: {0}")]
    Destination(#[from] DestinationError),
    /// A transport that this host does not speak.
    #[error("transport must be \"http\": streamable HTTP")]
    Transport,
    /// The settings are not an object.
    #[error("config must be a JSON object")]
    Config,
    /// The word for approvals is not one of the three.
    #[error("config.approval must be never, writes or always")]
    Approval,
    /// The overrides of tools are not objects.
    #[error("config.config_override and config.tools must be JSON objects")]
    Overrides,
    /// Rules that cannot be read.
    #[error("config: {0}")]
    Rules(#[from] RuleError),
    /// A time outside the bounds.
    #[error("config.timeout_seconds must be a number from 1 to 300")]
    Timeout,
    /// Headers or an identity that cannot be used.
    #[error(transparent)]
    Headers(#[from] HeadersError),
    /// The agent has a server of this name.
    #[error("this agent has an MCP server of this name already")]
    Taken,
    /// The agent has as many servers as it may have.
    #[error("an agent may have {MAX_SERVERS} MCP servers")]
    TooMany,
    /// The server does not answer as it should.
    #[error("the MCP server does not answer as it should")]
    Upstream(Private),
    /// The database failed.
    #[error("the table of MCP servers cannot be used")]
    Database(#[from] sqlx::Error),
}

impl Problem for McpServerError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound | Self::NoAgent => Kind::NotFound,
            Self::Taken => Kind::Conflict,
            Self::Upstream(_) => Kind::Upstream,
            Self::Database(error) => error.kind(),
            _ => Kind::BadRequest,
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Database(error) => error.detail(),
            Self::Upstream(text) => text.for_caller().to_owned(),
            _ => self.to_string(),
        }
    }
}
