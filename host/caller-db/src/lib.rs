//! Runs the statements of tools in a caller's name: on the login of the caller's role, with the caller's claims, behind
//! the SQL gate. Runs the statements of the planner of apps' requests in the same way.
//!
//! This crate owns the tools' connections, the transaction in a caller's name, the audit row of every call, and the checks
//! of `behalf doctor` on roles, logins and policies. It knows no feature. It never runs a guest's statement that the gate
//! has not allowed, and never commits a write whose audit row is not stored.
//!
//! ```compile_fail,E0624
//! // Only this crate can make the database of a call, and it needs a principal for it.
//! let make = behalf_caller_db::GuestDb::new;
//! ```

mod allowed_statement;
mod answer_size;
mod app;
mod array;
mod audit;
mod call_texts;
mod caller_tx;
mod catalog;
mod commit;
mod commit_guard;
mod condition;
mod describe;
pub mod doctor;
mod document;
mod ending;
mod exposure;
mod failed_statement;
mod fixed;
mod guest;
mod identity;
mod kv;
mod reach;
mod revoked;
mod row_queue;
mod scopes;
mod session_limit;
mod statement_error;
mod tool_pool;
mod trace;
mod types;
mod value;
mod visible;
mod wait_time;

use std::sync::{Arc, Mutex, OnceLock};

use behalf_gate::Gate;
use behalf_host_db::HostDb;
use behalf_identity::{CallerKey, Principal};
use behalf_jobs::Jobs;
use behalf_pgwire::Target;
use futures::future::BoxFuture;
use thiserror::Error;

pub use app::{AppAnswer, AppError, AppLimits, AppLog, AppRecord, AppRequest, AppRow, UNKNOWN_COMMIT};
pub use array::array_literal;
pub use audit::{AuditLog, Blame, CallIdRange, CallRecord, StatementRecord};
pub use call_texts::CallTexts;
pub use catalog::DatabaseGrant;
pub use commit_guard::CommitGuard;
pub use exposure::ExposureWatch;
pub use failed_statement::FailedStatement;
pub use fixed::{FixedAccess, FixedRequest, FixedRow, FixedSetting};
pub use guest::{GuestDb, RowSet, StatementLimits};
pub use kv::{KvScope, KvWritten};
pub use reach::{MAX_SOURCES, Reach, ReachError, ReachRequest, Reached};
pub use session_limit::SessionLimit;
pub use statement_error::StatementError;
pub use tool_pool::{ToolConnections, ToolSessions};
pub use trace::{StatementTrace, TracedStatement};
pub use value::Value;
pub use visible::{BaseType, ColumnRights, Comparison, VisibleColumn, VisibleError, VisibleTable};
pub use wait_time::WaitTime;

use catalog::CatalogCell;
use guest::ToolDb;
use reach::ReachCache;
use revoked::RevokedNames;
use tool_pool::ToolPool;

/// Tools cannot use the database.
#[derive(Debug, Error)]
#[error("cannot read the database's catalogue")]
pub struct ConnectError(#[source] sqlx::Error);

/// The database for tools. Clones share one pool of connections.
#[derive(Clone, Debug)]
pub struct CallerDb {
    shared: Arc<ToolDb>,
}

impl CallerDb {
    /// Reads the catalog and starts the writer of the audit log. `tools` is the server's address; its user name is
    /// replaced by the login of each role. Connections are opened when they are needed.
    pub fn connect<'a>(
        host: &'a HostDb,
        tools: &'a Target,
        sessions: ToolSessions,
        jobs: &'a Jobs,
    ) -> BoxFuture<'a, Result<Self, ConnectError>> {
        Box::pin(async move {
            let catalog = CatalogCell::load(host.clone()).await.map_err(ConnectError)?;
            let shared = ToolDb {
                pool: ToolPool::new(tools, Some(host.clone()), sessions),
                gate: Gate::new(),
                audit: AuditLog::start(host.clone(), jobs),
                app_log: AppLog::start(host.clone(), jobs),
                catalog,
                reach: ReachCache::new(host.clone()),
                revoked: RevokedNames::load(host).await.map_err(ConnectError)?,
                trace: OnceLock::new(),
            };
            Ok(Self { shared: Arc::new(shared) })
        })
    }

    /// Makes the database of one call in the caller's name. Its connections come out of the share of `key`.
    pub fn guest(
        &self,
        principal: Arc<Principal>,
        key: CallerKey,
        grant: Arc<DatabaseGrant>,
        limits: StatementLimits,
        record: Arc<Mutex<CallRecord>>,
    ) -> GuestDb {
        GuestDb::new(Arc::clone(&self.shared), principal, key, grant, limits, record)
    }

    /// The audit log.
    pub fn audit(&self) -> &AuditLog {
        &self.shared.audit
    }

    /// Writes the queued rows of the audit log and ends its writer. A call that ends later leaves no row.
    pub async fn close(&self) {
        self.shared.audit.close().await;
        self.shared.app_log.close().await;
    }

    /// Keeps the texts of statements from now on. Only commands for people who develop do this: a text may hold values.
    pub fn trace_statements(&self) -> Arc<StatementTrace> {
        Arc::clone(self.shared.trace.get_or_init(Arc::default))
    }

    /// The number of tool connections in each state.
    pub fn tool_connections(&self) -> ToolConnections {
        self.shared.pool.counts()
    }
}
