//! Reads of one constant statement each, in one round trip, on connections of their own.
//!
//! A transaction of the host takes a message to begin it, one for each statement and one to end it, and the pool sends one more before
//! and behind it. A read that needs none of that is one message here. It runs as the host's login, with no role and no claims set: it
//! reaches what this login itself may, such as a function that was granted to it, and policies show it nothing.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use behalf_pgwire::{Conn, Step, Target, TextRow, WireError};
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// How long a read waits for a connection, and for a server that starts.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// How long it waits before it asks such a server again: the first time, and at most.
const PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How long a read may take once it has a place.
const DEADLINE: Duration = Duration::from_secs(30);

/// How long the server may take to answer a read that was dropped before its connection is closed.
const DRAIN: Duration = Duration::from_secs(2);

/// A connection is replaced after this long, so that its server process frees its memory.
const MAX_AGE: Duration = Duration::from_mins(30);

/// The most bytes of an answer.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// Settings of each session. The deadline above counts first; the server ends what a crashed host left behind.
const SESSION: &str = "-c search_path= -c timezone=UTC -c datestyle=ISO -c statement_timeout=30s \
    -c lock_timeout=5s -c default_transaction_read_only=on";

/// Why there is no answer to a read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// No connection became free in time.
    #[error("all database connections for reads of the host are taken")]
    Busy,
    /// It took too long.
    #[error("the read took longer than {} s", .0.as_secs_f64())]
    Deadline(Duration),
    /// The server refused the statement, or cannot be reached.
    #[error(transparent)]
    Database(#[from] WireError),
}

/// The connections.
#[derive(Debug)]
pub(crate) struct Reads {
    target: Target,
    places: Arc<Semaphore>,
    idle: Mutex<Vec<Idle>>,
}

#[derive(Debug)]
struct Idle {
    conn: Conn,
    born: Instant,
}

/// A connection that one read uses. Dropped, it is free for the next one, or closed.
struct Lease {
    reads: Arc<Reads>,
    held: Option<Idle>,
    is_reused: bool,
    /// Taken until the connection is free or gone, so that the limit counts it.
    place: Option<OwnedSemaphorePermit>,
}

impl Reads {
    /// At most so many connections to this server. None is opened before it is needed.
    pub(crate) fn new(target: Target, connections: u32) -> Arc<Self> {
        let places = Arc::new(Semaphore::new(usize::try_from(connections).unwrap_or(1)));
        Arc::new(Self { target, places, idle: Mutex::default() })
    }

    /// Runs a statement and returns its rows. Parameters are texts; `None` is NULL.
    pub(crate) async fn read(
        self: &Arc<Self>,
        text: &'static str,
        params: &[Option<&str>],
    ) -> Result<Vec<TextRow>, ReadError> {
        let place = timeout(MAX_WAIT, Arc::clone(&self.places).acquire_owned()).await;
        let place = place.map_err(|_| ReadError::Busy)?.map_err(|_| ReadError::Busy)?;
        timeout(DEADLINE, self.run(place, text, params)).await.unwrap_or(Err(ReadError::Deadline(DEADLINE)))
    }

    async fn run(
        self: &Arc<Self>,
        place: OwnedSemaphorePermit,
        text: &'static str,
        params: &[Option<&str>],
    ) -> Result<Vec<TextRow>, ReadError> {
        let params: Vec<Option<Cow<'_, [u8]>>> =
            params.iter().map(|param| param.map(|text| Cow::Borrowed(text.as_bytes()))).collect();
        let step = Step { params: &params, ..Step::command(text, true) };
        let mut lease = self.lease(place).await?;
        let mut rows = lease.attempt(&step).await;
        // It changes nothing, so it can be sent again where its connection broke while it was idle, or its plan was out of date.
        if lease.is_reused && rows.as_ref().is_err_and(|error| is_broken(error) || error.is_stale()) {
            lease.reopen().await?;
            rows = lease.attempt(&step).await;
        }
        if rows.is_err() {
            lease.held = None;
        }
        Ok(rows?)
    }

    async fn lease(self: &Arc<Self>, place: OwnedSemaphorePermit) -> Result<Lease, WireError> {
        let idle = self.idle().pop();
        let is_reused = idle.is_some();
        let held = match idle {
            Some(idle) => idle,
            None => self.open().await?,
        };
        Ok(Lease { reads: Arc::clone(self), held: Some(held), is_reused, place: Some(place) })
    }

    /// Opens a connection. A server that is being started again is waited for, as the pool of transactions does.
    async fn open(&self) -> Result<Idle, WireError> {
        let (end, mut pause) = (Instant::now() + MAX_WAIT, PAUSE);
        loop {
            match Conn::connect(&self.target, SESSION).await {
                Ok(conn) => return Ok(Idle { conn, born: Instant::now() }),
                Err(error) if is_starting(&error) && Instant::now() + pause < end => tokio::time::sleep(pause).await,
                Err(error) => return Err(error),
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_back(&self, held: Idle) {
        if held.born.elapsed() < MAX_AGE && !self.places.is_closed() {
            self.idle().push(held);
        }
    }

    /// Closes every connection that is free, and the others when they are.
    pub(crate) fn close(&self) {
        self.places.close();
        self.idle().clear();
    }
}

/// Whether nobody listens yet, or the server says that it starts.
fn is_starting(error: &WireError) -> bool {
    match error {
        WireError::Io(error) => error.kind() == std::io::ErrorKind::ConnectionRefused,
        WireError::NotLoggedIn { code, .. } => code == "57P03",
        _ => false,
    }
}

/// Whether the connection is of no use any more.
fn is_broken(error: &WireError) -> bool {
    match error {
        WireError::Io(_) => true,
        // The server, or this session, was shut down.
        WireError::Server { code, .. } => code.starts_with("57P"),
        _ => false,
    }
}

impl Lease {
    async fn attempt(&mut self, step: &Step<'_>) -> Result<Vec<TextRow>, WireError> {
        let Some(Idle { conn, .. }) = &mut self.held else {
            return Err(WireError::Protocol("the connection was closed"));
        };
        let answers = conn.run(std::slice::from_ref(step), MAX_BYTES).await?;
        let answer = answers.first().ok_or(WireError::Protocol("an answer is missing"))?;
        if answer.truncated {
            return Err(WireError::Protocol("an answer of the host's own is too large"));
        }
        answer.rows.iter().map(TextRow::read).collect()
    }

    async fn reopen(&mut self) -> Result<(), WireError> {
        self.held = None;
        self.held = Some(self.reads.open().await?);
        self.is_reused = false;
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(mut held) = self.held.take() else { return };
        if !held.conn.in_flight() {
            self.reads.give_back(held);
            return;
        }
        // Its request was dropped. The server's answer is on its way, and cheaper to read than another connection is to open.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (reads, place) = (Arc::clone(&self.reads), self.place.take());
        runtime.spawn(async move {
            if matches!(timeout(DRAIN, held.conn.drain()).await, Ok(Ok(()))) {
                reads.give_back(held);
            }
            drop(place);
        });
    }
}
