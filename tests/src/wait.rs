//! Waits for a state of the host, for a limited time.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{Answer, App};

/// How long a test waits; a busy machine may need some of it.
const PATIENCE: Duration = Duration::from_secs(20);

/// The number of transactions that tools have open on this database. The tools' logins do not track their activities, but
/// each open transaction holds the lock on its own number.
const OPEN_TRANSACTIONS: &str = "select count(*) from pg_stat_activity a join pg_locks l using (pid)
    where a.datname = current_database() and a.usename like 'behalf\\_tool\\_%' and l.locktype = 'virtualxid'";

/// Asks again until the answer is true; the test fails with `what` if it never is.
pub async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < end, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

impl App {
    /// Returns once no call runs, no connection of a tool is in use, and no transaction of one is open.
    pub async fn settled(&self) {
        eventually("a call still runs", async || self.state.tools.sandbox().running_calls() == 0).await;
        eventually("a connection is still in use", async || self.state.caller_db.tool_connections().in_use == 0).await;
        eventually("a transaction is still open", async || self.database.value::<i64>(OPEN_TRANSACTIONS).await == 0)
            .await;
    }

    /// Returns once this many calls run at the same time.
    pub async fn running(&self, calls: usize) {
        eventually(&format!("{calls} calls run"), async || self.state.tools.sandbox().running_calls() == calls).await;
    }

    /// The audit row of the call that this answer names.
    pub async fn audit_of(&self, answer: &Answer) -> Value {
        let call = answer.json["call_id"].as_str().unwrap_or_else(|| panic!("no call: {}", answer.text));
        let rows = self.audit().await;
        rows.into_iter().find(|row| row["call_id"] == call).unwrap_or_else(|| panic!("no audit row of {call}"))
    }
}
