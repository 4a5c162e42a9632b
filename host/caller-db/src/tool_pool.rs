//! A pool of connections for tools: one login per database role, and one limit for all roles together.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use behalf_fair_queue::{FairQueue, Place, Work};

use super::ending::EndingStatements;
use super::session_limit::{self, SessionLimit};
use super::types::{self, TypeMap};
use behalf_host_db::{HostDb, LoginNames};
use behalf_identity::{CallerKey, Role};
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

/// What the sessions of tools get.
#[derive(Clone, Debug)]
pub struct ToolSessions {
    /// The logins, one for each role.
    pub logins: LoginNames,
    /// How many there are at most at once, for all roles together.
    pub connections: usize,
    /// How long a call waits for them, all of its waits together.
    pub max_wait: Duration,
    /// How much memory each of them may have, where this host can bound it.
    pub limit: Option<SessionLimit>,
}

/// The pool. Its limit counts connections in use and idle ones of every role.
#[derive(Debug)]
pub(super) struct ToolPool {
    logins: [Login; 3],
    places: FairQueue<CallerKey>,
    /// How long a call waits for connections, all of its waits together.
    pub(super) max_wait: Duration,
    ending: EndingStatements,
    limit: Option<SessionLimit>,
    pub(super) types: TypeMap,
}

/// Why there is no connection for a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Busy {
    /// None became free in time.
    #[error("all database connections for tools are taken; try again shortly")]
    Taken,
    /// Too many statements of this caller did not end.
    #[error(
        "the database still works at earlier statements of this caller, which were given up; try again when they have ended"
    )]
    Ending,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoLease {
    /// The host has none for this caller.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// It could not be opened.
    #[error(transparent)]
    Wire(#[from] WireError),
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
    /// Makes an empty pool. The template's user name is replaced by each role's login. `host` looks after statements that do
    /// not end.
    pub(super) fn new(template: &Target, host: Option<HostDb>, sessions: ToolSessions) -> Arc<Self> {
        let target = |role| template.with_user(&sessions.logins.tool(role));
        let login = |role| Login { role, target: target(role), idle: Mutex::default() };
        let places = FairQueue::new(sessions.connections, Work::Short);
        Arc::new(Self {
            logins: Role::ALL.map(login),
            max_wait: sessions.max_wait,
            // Statements that do not end may take a quarter of the connections away, for each caller.
            ending: EndingStatements::new(host, (places.places() / 4).max(1)),
            places,
            limit: sessions.limit,
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

    /// Waits for a free connection of the role's login in the caller's line, no longer than `max_wait`.
    pub(super) async fn lease(
        self: &Arc<Self>,
        role: Role,
        key: CallerKey,
        max_wait: Duration,
    ) -> Result<Lease, NoLease> {
        if self.ending.are_too_many(key) {
            return Err(self.no_connection(Busy::Ending).await);
        }
        let Some(place) = self.places.acquire_within(key, max_wait).await else {
            return Err(self.no_connection(Busy::Taken).await);
        };
        let lease = |conn, born, reused| Lease {
            pool: Arc::clone(self),
            role,
            key,
            held: Some(Held { conn, born, place }),
            reused,
            is_closed: false,
        };
        let login = self.login(role);
        let idle = lock(&login.idle).pop();
        if let Some(Idle { conn, born }) = idle {
            return Ok(lease(conn, born, true));
        }
        // The limit holds for all roles together, so idle connections of other roles are closed first.
        let (size, in_use) = (self.places.places(), self.places.taken());
        let mut spare = self.logins.iter().map(|login| lock(&login.idle).len()).sum::<usize>();
        for other in self.logins.iter().filter(|other| other.role != role) {
            while spare + in_use > size {
                let Some(one) = lock(&other.idle).pop() else { break };
                drop(one);
                spare -= 1;
            }
        }
        let mut conn = self.open(&login.target).await?;
        if self.types.is_empty() {
            self.load_types(&mut conn).await?;
        }
        Ok(lease(conn, Instant::now(), false))
    }

    /// Why a caller gets no connection: there are none left, or the calls that have them wait for a database that is away.
    async fn no_connection(&self, busy: Busy) -> NoLease {
        if self.ending.is_database_away().await {
            WireError::Io(io::ErrorKind::NotConnected.into()).into()
        } else {
            busy.into()
        }
    }

    /// Opens a session, and bounds its memory before anything runs in it.
    async fn open(&self, target: &Target) -> Result<Conn, WireError> {
        let Some(limit) = &self.limit else { return Conn::connect(target, SESSION).await };
        let conn = Conn::connect(target, &format!("{SESSION} {}", session_limit::SETTINGS)).await?;
        limit.set(&conn).await;
        Ok(conn)
    }

    /// What a statement is told that ran out of its session's memory.
    pub(super) fn out_of_memory(&self) -> String {
        session_limit::out_of_memory(self.limit.as_ref())
    }

    /// Reads the database's types again.
    pub(super) async fn load_types(&self, conn: &mut Conn) -> Result<(), WireError> {
        let steps = [Step::command(types::LOAD, false), Step::command(types::LOAD_FIELDS, false)];
        let answers = conn.run(&steps, 16 * 1024 * 1024).await?;
        let rows = |index: usize| answers.get(index).into_iter().flat_map(|answer| &answer.rows);
        self.types.load(rows(0).filter_map(text_row), rows(1).filter_map(text_row));
        Ok(())
    }

    /// Reads the types again where one of these was created since.
    pub(super) async fn know_types<'a>(
        &self,
        conn: &mut Conn,
        oids: impl Iterator<Item = &'a u32>,
    ) -> Result<(), WireError> {
        let mut unknown = oids.filter(|oid| self.types.get(**oid).is_none());
        if unknown.next().is_some() { self.load_types(conn).await } else { Ok(()) }
    }

    /// The number of connections in each state.
    pub(super) fn counts(&self) -> ToolConnections {
        ToolConnections {
            in_use: self.places.taken(),
            ending: self.ending.count(),
            idle: self.logins.iter().map(|login| lock(&login.idle).len()).sum(),
            waiting: self.places.waiting(),
        }
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

/// The tools' connections, counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToolConnections {
    /// Those that are taken, by calls and by statements that are ending.
    pub in_use: usize,
    /// Those whose statement was given up and that the server has not ended yet.
    pub ending: usize,
    /// Those that are open and free.
    pub idle: usize,
    /// Calls that wait for one.
    pub waiting: usize,
}

/// A connection that a call uses. When it is dropped, the connection goes back to the pool without a transaction, or is
/// closed. Its place is taken until then.
#[derive(Debug)]
pub(super) struct Lease {
    pool: Arc<ToolPool>,
    role: Role,
    key: CallerKey,
    held: Option<Held>,
    reused: bool,
    is_closed: bool,
}

#[derive(Debug)]
struct Held {
    conn: Conn,
    born: Instant,
    place: Place<CallerKey>,
}

impl Lease {
    /// The connection, unless it was closed.
    pub(super) fn conn(&mut self) -> Result<&mut Conn, WireError> {
        match &mut self.held {
            Some(held) if !self.is_closed => Ok(&mut held.conn),
            _ => Err(WireError::Protocol("the connection was closed")),
        }
    }

    /// Whether the connection served another call before. If its first batch fails, it may have broken while it was
    /// idle.
    pub(super) fn reused(&self) -> bool {
        self.reused
    }

    /// Closes the connection instead of returning it to the pool, because its session can no longer be trusted.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
    }

    /// Opens a new session in the place of one that cannot be used.
    pub(super) async fn reopen(&mut self) -> Result<(), WireError> {
        let conn = self.pool.open(&self.pool.login(self.role).target).await?;
        if let Some(held) = &mut self.held {
            (held.conn, held.born) = (conn, Instant::now());
        }
        (self.is_closed, self.reused) = (false, false);
        Ok(())
    }

    /// Rolls an open transaction back.
    pub(super) async fn rollback(&mut self) {
        let usable = match self.conn() {
            Ok(conn) if !conn.in_flight() && conn.status() != TxStatus::Idle => rolled_back(conn).await,
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
        let Some(Held { mut conn, born, place }) = self.held.take() else { return };
        let (pool, role, key, is_closed) = (Arc::clone(&self.pool), self.role, self.key, self.is_closed);
        if !is_closed && !conn.in_flight() && conn.status() == TxStatus::Idle && !conn.wants_trim() {
            pool.give_back(role, conn, born);
            return;
        }
        // Without a runtime (the process is ending) the socket closes here, and the server ends the session.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            let is_given_up = conn.in_flight();
            let usable = !is_closed
                && (!is_given_up || pool.ending.interrupt(&mut conn, key).await)
                && (!is_given_up && conn.status() == TxStatus::Idle || rolled_back(&mut conn).await)
                && conn.trim().await.is_ok();
            if usable {
                pool.give_back(role, conn, born);
            } else {
                pool.ending.end(conn, key).await;
            }
            // The place is taken until here, so that the limit counts the connection until it is usable or gone.
            drop(place);
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
