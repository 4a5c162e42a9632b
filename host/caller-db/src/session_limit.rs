//! The limit on the memory of a tool's session, where the host itself started the server and so can set one.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use behalf_pgwire::Conn;
use behalf_problem::LogText as _;
use futures::future::BoxFuture;

/// Settings of a session whose process is bounded. A parallel worker is a process of its own, which no limit of the session's
/// process reaches, so a bounded session has none.
pub(super) const SETTINGS: &str = "-c max_parallel_workers_per_gather=0";

/// Sets the limit of one process of the server, named by its id.
type Apply = dyn Fn(i32) -> BoxFuture<'static, io::Result<()>> + Send + Sync;

/// How much memory one session of a tool may have. The server refuses a statement that needs more, and goes on.
#[derive(Clone)]
pub struct SessionLimit {
    bytes: u64,
    apply: Arc<Apply>,
    has_failed: Arc<AtomicBool>,
}

impl std::fmt::Debug for SessionLimit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionLimit").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl SessionLimit {
    /// A limit of `bytes`, which `apply` sets for the process of a session before a tool uses the session.
    pub fn new(bytes: u64, apply: impl Fn(i32) -> BoxFuture<'static, io::Result<()>> + Send + Sync + 'static) -> Self {
        Self { bytes, apply: Arc::new(apply), has_failed: Arc::default() }
    }

    /// Sets the limit for the connection's process. Where the machine does not allow it, tools work without; the log says so
    /// once, and `behalf doctor` as long as it is so.
    pub(super) async fn set(&self, conn: &Conn) {
        if let Err(error) = (self.apply)(conn.cancel_key().process_id()).await
            && !self.has_failed.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(error = error.log_text(), "the memory of tools' database sessions cannot be limited");
        }
    }
}

/// What the author of a statement is told that needed more memory than its session may have.
pub(super) fn out_of_memory(limit: Option<&SessionLimit>) -> String {
    const FIX: &str = "aggregate less at once, or select fewer or shorter values";
    match limit {
        Some(limit) => format!(
            "the statement needs more memory than a tool's database session may have ({} MiB); {FIX}",
            limit.bytes / (1 << 20)
        ),
        None => format!("the statement needs more memory than the database server gives a session; {FIX}"),
    }
}
