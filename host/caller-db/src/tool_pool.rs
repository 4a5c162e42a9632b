//! A pool of connections for tools: one login per database role, and one limit for all roles together.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use behalf_problem::LogText as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::types::{self, TypeMap};
use behalf_host_db::bind::login_name;
use behalf_identity::Role;
use behalf_pgwire::{Conn, Step, Target, TxStatus, WireError};

/// A connection is replaced after this long, so that its server process frees its memory.
const MAX_AGE: Duration = Duration::from_mins(30);

/// How long the rollback after a dropped call may take before the connection is closed instead.
const ROLLBACK_TIMEOUT: Duration = Duration::from_secs(2);

/// The search path of tool sessions; the gate resolves names along the same one.
pub(super) const SEARCH_PATH: [&str; 2] = ["public", "extensions"];

/// Settings of every tool session. The host's own deadline cancels a statement first; the three time-outs end what a
/// crashed host left behind.
const SESSION: &str = "-c search_path=public,extensions -c standard_conforming_strings=on -c timezone=UTC \
    -c datestyle=ISO -c intervalstyle=postgres -c bytea_output=hex -c extra_float_digits=1 -c statement_timeout=300s \
    -c lock_timeout=10s -c idle_in_transaction_session_timeout=60s";

/// The pool. Its limit counts connections in use and idle ones of every role.
#[derive(Debug)]
pub(super) struct ToolPool {
    logins: [Login; 3],
    permits: Arc<Semaphore>,
    size: usize,
    pub(super) types: TypeMap,
}

#[derive(Debug)]
struct Login {
    role: Role,
    target: Target,
    idle: Mutex<Vec<Idle>>,
}

#[derive(Debug)]
struct Idle {
    conn: Conn,
    born: Instant,
}

impl ToolPool {
    /// Makes an empty pool of at most `size` connections. The template's user name is replaced by each role's login.
    pub(super) fn new(template: &Target, size: usize) -> Arc<Self> {
        let login = |role| Login { role, target: template.with_user(login_name(role)), idle: Mutex::default() };
        let size = size.max(1);
        Arc::new(Self {
            logins: Role::ALL.map(login),
            permits: Arc::new(Semaphore::new(size)),
            size,
            types: TypeMap::default(),
        })
    }

    fn login(&self, role: Role) -> &Login {
        let [anon, authenticated, service] = &self.logins;
        match role {
            Role::Anon => anon,
            Role::Authenticated => authenticated,
            Role::Service => service,
        }
    }

    /// Waits for a free connection of the role's login.
    pub(super) async fn lease(self: &Arc<Self>, role: Role) -> Result<Lease, WireError> {
        let permit =
            Arc::clone(&self.permits).acquire_owned().await.map_err(|_| WireError::Protocol("the pool is closed"))?;
        let login = self.login(role);
        let idle = lock(&login.idle).pop();
        if let Some(Idle { conn, born }) = idle {
            return Ok(Lease {
                pool: Arc::clone(self),
                role,
                held: Some((conn, born)),
                permit: Some(permit),
                reused: true,
            });
        }
        // The limit holds for all roles together, so idle connections of other roles are closed first.
        let in_use = self.size.saturating_sub(self.permits.available_permits());
        let mut spare = self.logins.iter().map(|login| lock(&login.idle).len()).sum::<usize>();
        for other in self.logins.iter().filter(|other| other.role != role) {
            while spare + in_use > self.size {
                let Some(one) = lock(&other.idle).pop() else { break };
                drop(one);
                spare -= 1;
            }
        }
        let mut conn = Conn::connect(&login.target, SESSION).await?;
        if self.types.is_empty() {
            self.load_types(&mut conn).await?;
        }
        Ok(Lease {
            pool: Arc::clone(self),
            role,
            held: Some((conn, Instant::now())),
            permit: Some(permit),
            reused: false,
        })
    }

    /// Reads the database's types again.
    pub(super) async fn load_types(&self, conn: &mut Conn) -> Result<(), WireError> {
        let answers = conn.run(&[Step::command(types::LOAD, false)], 16 * 1024 * 1024).await?;
        let rows = answers.iter().flat_map(|answer| &answer.rows).filter_map(text_row);
        self.types.load(rows);
        Ok(())
    }

    /// The number of connections in use, and of idle ones.
    pub(super) fn counts(&self) -> (usize, usize) {
        let in_use = self.size.saturating_sub(self.permits.available_permits());
        (in_use, self.logins.iter().map(|login| lock(&login.idle).len()).sum())
    }
}

/// A row of `N` columns of text, none of them NULL.
pub(super) fn text_row<const N: usize>(row: &postgres_protocol::message::backend::DataRowBody) -> Option<[String; N]> {
    use fallible_iterator::FallibleIterator;
    let mut fields = Vec::with_capacity(N);
    let mut ranges = row.ranges();
    while let Ok(Some(range)) = ranges.next() {
        fields.push(String::from_utf8_lossy(row.buffer().get(range?)?).into_owned());
    }
    fields.try_into().ok()
}

/// A connection that a call uses. When it is dropped, the connection goes back to the pool without a transaction, or is
/// closed.
#[derive(Debug)]
pub(super) struct Lease {
    pool: Arc<ToolPool>,
    role: Role,
    held: Option<(Conn, Instant)>,
    permit: Option<OwnedSemaphorePermit>,
    reused: bool,
}

impl Lease {
    /// The connection, unless it was closed.
    pub(super) fn conn(&mut self) -> Result<&mut Conn, WireError> {
        self.held.as_mut().map(|(conn, _)| conn).ok_or(WireError::Protocol("the connection was closed"))
    }

    /// Whether the connection served another call before. If its first batch fails, it may have broken while it was
    /// idle.
    pub(super) fn reused(&self) -> bool {
        self.reused
    }

    /// Closes the connection instead of returning it to the pool, because its session can no longer be trusted.
    pub(super) fn close(&mut self) {
        self.held = None;
    }

    /// Rolls an open transaction back.
    pub(super) async fn rollback(&mut self) {
        let usable = match &mut self.held {
            Some((conn, _)) if !conn.in_flight() && conn.status() != TxStatus::Idle => rolled_back(conn).await,
            _ => return,
        };
        if !usable {
            self.close();
        }
    }
}

/// Rolls back, and returns whether the connection can be used again.
async fn rolled_back(conn: &mut Conn) -> bool {
    let steps = [Step::command("ROLLBACK", true)];
    let work = conn.run(&steps, 0);
    matches!(tokio::time::timeout(ROLLBACK_TIMEOUT, work).await, Ok(Ok(_))) && conn.status() == TxStatus::Idle
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some((mut conn, born)) = self.held.take() else { return };
        let (pool, role, permit) = (Arc::clone(&self.pool), self.role, self.permit.take());
        if !conn.in_flight() && conn.status() == TxStatus::Idle && !conn.wants_trim() {
            pool.give_back(role, conn, born);
            return;
        }
        // Without a runtime (the process is ending) the socket closes here, and the server ends the session.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            if conn.in_flight() {
                if let Err(error) = conn.cancel_key().cancel().await {
                    tracing::warn!(
                        error = error.log_text(),
                        "cannot cancel a statement; the server's own time-out ends it"
                    );
                }
                drop(conn);
            } else if (conn.status() == TxStatus::Idle || rolled_back(&mut conn).await) && conn.trim().await.is_ok() {
                pool.give_back(role, conn, born);
            }
            // The permit is held until here, so that the limit counts the connection until it is usable or closed.
            drop(permit);
        });
    }
}

impl ToolPool {
    fn give_back(&self, role: Role, conn: Conn, born: Instant) {
        if born.elapsed() < MAX_AGE {
            lock(&self.login(role).idle).push(Idle { conn, born });
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
