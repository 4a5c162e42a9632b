//! Conditions under which a tool's transaction may commit.

use std::fmt::Debug;

use behalf_host_db::HostTx;
use futures::future::BoxFuture;

/// A condition under which a call's writes may be committed. For example, the agents feature implements it with a run's
/// lease: once another host has taken the run over, the call cannot commit.
pub trait CommitGuard: Debug + Send + Sync {
    /// Whether the call may commit now. The answer holds until `tx` ends, because the implementation locks the rows it
    /// read.
    fn may_commit<'a>(&'a self, tx: &'a mut HostTx) -> BoxFuture<'a, Result<bool, sqlx::Error>>;
}
