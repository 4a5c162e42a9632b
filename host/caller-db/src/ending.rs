//! Statements that the host gave up, until the server has really ended them.
//!
//! Postgres looks for a cancel request only at certain points. A statement can work for minutes between two of them, and
//! ending its process is such a request as well. So the host asks, asks again, and keeps the connection's place taken until
//! the process is gone. What does not end soon is written to `behalf.ending_backends`, where `behalf doctor` finds it, also
//! after this host has ended.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use behalf_host_db::HostDb;
use behalf_identity::CallerKey;
use behalf_pgwire::Conn;
use behalf_problem::LogText as _;

/// How long a process may take to end before the host does more about it.
const PROMPT: Duration = Duration::from_secs(1);

/// How often the host asks again.
const AGAIN: Duration = Duration::from_secs(10);

/// Terminates a process of a tool, and notes it.
const END: &str = "select behalf.end_tool_backend($1, $2)";

/// Whether a process of a tool that is older than this is still there.
const IS_THERE: &str = "select exists (select from behalf.tool_backends() b
    where b.pid = $1 and coalesce(b.backend_start <= now() - make_interval(secs => $2), true))";

/// Forgets a process that has ended.
const FORGET: &str = "delete from behalf.ending_backends where pid = $1";

/// The statements that are ending.
#[derive(Debug)]
pub(super) struct EndingStatements {
    /// The host's own login. Only the checks of `doctor` have none; they run nothing that could not end.
    host: Option<HostDb>,
    /// The statements of one caller that may be ending while it gets another connection.
    allowed: usize,
    ending: Mutex<Ending>,
}

#[derive(Debug, Default)]
struct Ending {
    next: u64,
    by_id: HashMap<u64, (CallerKey, Instant)>,
}

/// Counts one statement until it is dropped.
struct Counted<'a> {
    all: &'a EndingStatements,
    id: u64,
    since: Instant,
}

impl EndingStatements {
    pub(super) fn new(host: Option<HostDb>, allowed: usize) -> Self {
        Self { host, allowed, ending: Mutex::default() }
    }

    /// Whether the database does not answer. A process of a server that is away ends with the server, which shows when it is back.
    pub(super) async fn is_database_away(&self) -> bool {
        match &self.host {
            Some(host) => !host.answers().await,
            None => false,
        }
    }

    /// How many statements are ending.
    pub(super) fn count(&self) -> usize {
        self.lock().by_id.len()
    }

    /// Whether so many statements of the caller did not end promptly that it gets no more connections.
    pub(super) fn are_too_many(&self, key: CallerKey) -> bool {
        let late = |(caller, since): &&(CallerKey, Instant)| *caller == key && since.elapsed() > PROMPT;
        self.lock().by_id.values().filter(late).count() >= self.allowed
    }

    /// Stops the statement of a call that was given up, and returns whether the session can be used again.
    pub(super) async fn interrupt(&self, conn: &mut Conn, key: CallerKey) -> bool {
        let _counted = self.begin(key);
        let work = async {
            conn.cancel_key().cancel().await?;
            conn.drain().await
        };
        // The server has sent its signal by now, so one that came after the statement stops the rollback that follows, and never
        // a statement of the next call.
        matches!(tokio::time::timeout(PROMPT, work).await, Ok(Ok(())))
    }

    /// Ends the session of a connection that is not used any more, and waits until its process is gone.
    pub(super) async fn end(&self, mut conn: Conn, key: CallerKey) {
        let counted = self.begin(key);
        let process = conn.cancel_key().process_id();
        let mut noted = false;
        loop {
            if conn.in_flight()
                && let Err(error) = conn.cancel_key().cancel().await
            {
                tracing::warn!(error = error.log_text(), "cannot cancel a statement");
            }
            let patience = if noted { AGAIN } else { PROMPT };
            let closed = tokio::time::timeout(patience, conn.closed()).await.is_ok();
            if closed && self.is_gone(process, counted.since).await {
                break;
            }
            if !noted {
                tracing::warn!(
                    postgres.pid = process,
                    "a statement was given up and the server does not end it; its connection stays taken until then"
                );
            }
            noted = true;
            self.terminate(process, counted.since).await;
            if closed {
                tokio::time::sleep(PROMPT).await;
            }
        }
        if noted {
            tracing::info!(
                postgres.pid = process,
                after_seconds = counted.since.elapsed().as_secs(),
                "the server ended the statement"
            );
            self.forget(process).await;
        }
    }

    fn begin(&self, key: CallerKey) -> Counted<'_> {
        let since = Instant::now();
        let mut ending = self.lock();
        ending.next += 1;
        let id = ending.next;
        ending.by_id.insert(id, (key, since));
        Counted { all: self, id, since }
    }

    /// Whether the server has no such process any more. A closed socket alone does not say so: a pooler may have closed it.
    async fn is_gone(&self, process: i32, since: Instant) -> bool {
        let Some(host) = &self.host else { return true };
        let asked = async {
            let mut tx = host.begin_as_host().await?;
            sqlx::query_scalar::<_, bool>(IS_THERE)
                .bind(process)
                .bind(since.elapsed().as_secs_f64())
                .fetch_one(&mut *tx)
                .await
        };
        match asked.await {
            Ok(is_there) => !is_there,
            Err(error) => {
                tracing::warn!(error = error.log_text(), "cannot ask for a process of the server");
                // A server that answers with an error cannot tell: the migrations are older than this host.
                error.as_database_error().is_some()
            }
        }
    }

    async fn terminate(&self, process: i32, since: Instant) {
        let Some(host) = &self.host else { return };
        let done = async {
            let mut tx = host.begin_as_host().await?;
            sqlx::query(END).bind(process).bind(since.elapsed().as_secs_f64()).execute(&mut *tx).await?;
            tx.commit().await
        };
        if let Err(error) = done.await {
            tracing::warn!(error = error.log_text(), "cannot terminate a process of the server");
        }
    }

    async fn forget(&self, process: i32) {
        let Some(host) = &self.host else { return };
        let done = async {
            let mut tx = host.begin_as_host().await?;
            sqlx::query(FORGET).bind(process).execute(&mut *tx).await?;
            tx.commit().await
        };
        if let Err(error) = done.await {
            tracing::warn!(error = error.log_text(), "cannot forget a process that has ended");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Ending> {
        self.ending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.all.lock().by_id.remove(&self.id);
    }
}
