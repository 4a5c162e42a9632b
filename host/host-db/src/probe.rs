//! Whether the database answers, asked on a connection that waits in no line: work that takes all the others must not make the
//! database look away, and a database that is away must not keep whoever asks.

use std::time::Duration;

use behalf_pgwire::{Conn, Step, Target};
use tokio::sync::Mutex;
use tokio::time::timeout;

/// How long it may take. Those who ask whether a host is ready are to hear within a second that its database is away.
const WITHIN: Duration = Duration::from_millis(700);

/// The most bytes of an answer.
const MAX_BYTES: usize = 1024;

/// A connection of its own, opened when it is first needed.
#[derive(Debug)]
pub(crate) struct Probe {
    target: Target,
    held: Mutex<Option<Conn>>,
}

impl Probe {
    pub(crate) fn new(target: Target) -> Self {
        Self { target, held: Mutex::default() }
    }

    /// Whether the database answers.
    pub(crate) async fn answers(&self) -> bool {
        timeout(WITHIN, self.ask()).await.unwrap_or(false)
    }

    /// Dropped in the middle, it closes the connection.
    async fn ask(&self) -> bool {
        let mut held = self.held.lock().await;
        if let Some(mut conn) = held.take()
            && answers(&mut conn).await
        {
            *held = Some(conn);
            return true;
        }
        // The connection may have broken while it was idle.
        let Ok(mut conn) = Conn::connect(&self.target, "").await else { return false };
        let is_there = answers(&mut conn).await;
        *held = is_there.then_some(conn);
        is_there
    }

    /// Closes the connection.
    pub(crate) async fn close(&self) {
        self.held.lock().await.take();
    }
}

async fn answers(conn: &mut Conn) -> bool {
    conn.run(&[Step::command("select 1", true)], MAX_BYTES).await.is_ok()
}
