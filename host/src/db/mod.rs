//! Everything that reaches Postgres. Owns the connections; nobody else sees one.
//!
//! Two ways in. A **tool's** statements go through [`GuestDb`]: the gate, then the login of the caller's role, with the
//! caller's claims. The **host's** own statements go through [`Db::begin`] on the host's login, with the caller's claims
//! as well. Imports `identity` and `config`. Never does: run a statement as the owner (but for `migrate`, `doctor` and the
//! fixture of a check).

mod agents;
mod approvals;
mod array;
mod assertion_keys;
mod audit;
mod audit_events;
mod bind;
mod catalog;
mod chunks;
mod credits;
mod custom_tools;
mod delegations;
mod doctor;
mod fixture;
pub mod gate;
mod guest;
mod host_tx;
mod idempotency;
mod journal;
mod leases;
mod mcp_servers;
mod migrate;
mod plugins;
mod prices;
mod provider_keys;
mod run_events;
mod run_news;
mod runs;
mod secrets;
mod sessions;
mod tool_calls;
mod tool_pool;
mod types;
mod usage;
mod user_tx;
mod value;
mod wire;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use thiserror::Error;

pub use agents::{
    AgentChange, AgentFilter, AgentRow, AgentSort, AgentSummary, AssignmentChange, NewAgent, ToolAssignment,
};
pub use approvals::{ApprovalRow, Decision, NewApproval};
pub use audit::{AuditLog, Blame, CallRecord, StatementRecord};
pub use audit_events::AuditAction;
pub use catalog::DatabaseGrant;
pub use chunks::{ChunkReader, ChunkRow};
pub use credits::{Billing, CreditError, CreditHold, CreditsRow, NewGrant};
pub use custom_tools::{CustomToolChange, CustomToolError, CustomToolRow};
pub use delegations::{Delegated, DelegationRow, NewDelegation};
pub use doctor::{Finding, Level, Scope, ToolSource, examine, examine_catalog, tool_sources};
pub use fixture::Fixture;
pub use guest::{GuestDb, RowSet, StatementError, StatementLimits};
pub use host_tx::HostTx;
pub use idempotency::{Claimed, KeyClaim, RequestMark, StoredAnswer};
pub use journal::Trace;
pub use leases::{Hold, TakenRun};
pub use mcp_servers::McpServerRow;
pub use migrate::{MigrateError, MigrationStatus, migrate, migration_status, run_script};
pub use plugins::{NewPlugin, PluginChange, PluginRow, PluginStoreError, Registry};
pub use prices::Prices;
pub use provider_keys::{NewProviderKey, ProviderKey, ProviderKeyError, ProviderKeyRow};
pub use run_events::{RunEvent, RunEvents};
pub use run_news::RunFollower;
pub use runs::{Exchange, NewRun, OpenRunError, OpenedRun, RunEnd, RunRow, RunSession};
pub use secrets::{SecretError, Secrets};
pub use sessions::{NewSession, Seed, SessionFilter, SessionRow, SessionSummary};
pub use usage::{UsageFilter, UsageGroup, UsageSum};
pub use value::Value;
pub use wire::{Target, TargetError, WireError};

use crate::config::Secret;
use crate::identity::Principal;
use catalog::CatalogCell;
use gate::Gate;
use guest::ToolDb;
use run_news::RunNews;
use tool_pool::ToolPool;

/// How to reach the database.
#[derive(Debug)]
pub struct DbOptions {
    /// The host's own login.
    pub host: Secret,
    /// Template of the tools' logins.
    pub tools: Secret,
    /// Connections of the host's pool.
    pub host_connections: u32,
    /// Connections that tool calls share.
    pub tool_connections: usize,
    /// Runs that may go on at once, on all hosts together.
    pub run_limits: RunLimits,
    /// How work is paid for.
    pub billing: Billing,
    /// What secrets are sealed with.
    pub secrets: Arc<Secrets>,
}

/// How many runs may go on at once. Those that an agent begins within another's run do not count.
#[derive(Clone, Copy, Debug, Default)]
pub struct RunLimits {
    /// Of one user; no limit where absent.
    pub user: Option<u32>,
    /// Of the whole project; no limit where absent.
    pub project: Option<u32>,
}

/// Why the database cannot be used.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The tools' address is wrong.
    #[error("BEHALF_TOOL_DATABASE_URL: {0}")]
    Target(#[from] TargetError),
    /// The host's address is wrong or the server refuses.
    #[error("cannot reach the database as the host; check BEHALF_HOST_DATABASE_URL and that `behalf migrate` ran")]
    Host(#[source] sqlx::Error),
    /// The catalogue could not be read.
    #[error("cannot read the database's catalogue")]
    Catalog(#[source] sqlx::Error),
}

/// The database.
#[derive(Clone, Debug)]
pub struct Db {
    host: PgPool,
    tools: Arc<ToolDb>,
    news: Arc<RunNews>,
    run_limits: RunLimits,
    chunks: Arc<DatabaseGrant>,
    billing: Arc<Billing>,
    secrets: Arc<Secrets>,
}

impl Db {
    /// Connects as the host and reads the catalogue; tools' connections are made when they are needed.
    pub async fn connect(options: &DbOptions) -> Result<Self, ConnectError> {
        let target = Target::parse(options.tools.expose())?;
        let address: PgConnectOptions = options.host.expose().parse().map_err(ConnectError::Host)?;
        let host = PgPoolOptions::new()
            .max_connections(options.host_connections.max(2))
            .acquire_timeout(Duration::from_secs(10))
            .connect_with(address.application_name("behalf-host"))
            .await
            .map_err(ConnectError::Host)?;
        let catalog = CatalogCell::load(host.clone()).await.map_err(ConnectError::Catalog)?;
        let tools = ToolDb {
            pool: ToolPool::new(&target, options.tool_connections),
            gate: Gate::new(),
            audit: AuditLog::start(host.clone()),
            catalog,
        };
        let news = RunNews::start(&host);
        Ok(Self {
            host,
            tools: Arc::new(tools),
            news,
            run_limits: options.run_limits,
            chunks: chunks::grant(),
            billing: Arc::new(options.billing.clone()),
            secrets: Arc::clone(&options.secrets),
        })
    }

    /// One call's database, as the caller.
    pub fn guest(
        &self,
        principal: Arc<Principal>,
        grant: Arc<DatabaseGrant>,
        limits: StatementLimits,
        record: Arc<Mutex<CallRecord>>,
    ) -> GuestDb {
        GuestDb::new(Arc::clone(&self.tools), principal, grant, limits, record)
    }

    /// A transaction of the host's in the caller's name.
    pub async fn begin(&self, principal: &Principal) -> Result<HostTx, sqlx::Error> {
        host_tx::begin(&self.host, principal).await
    }

    /// A transaction for a job of the host's that serves no single caller.
    pub(crate) async fn begin_as_host(&self) -> Result<HostTx, sqlx::Error> {
        host_tx::begin_as_host(&self.host).await
    }

    /// The audit log.
    pub fn audit(&self) -> &AuditLog {
        &self.tools.audit
    }

    /// A connection that hears what other hosts announce.
    pub async fn listener(&self) -> Result<PgListener, sqlx::Error> {
        PgListener::connect_with(&self.host).await
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), sqlx::Error> {
        sqlx::query("select 1").execute(&self.host).await.map(|_| ())
    }

    /// Tool connections in use and idle.
    pub fn tool_connections(&self) -> (usize, usize) {
        self.tools.pool.counts()
    }

    /// Writes what is still to be written and closes the host's connections.
    pub async fn close(&self) {
        self.tools.audit.flush().await;
        self.host.close().await;
    }
}
