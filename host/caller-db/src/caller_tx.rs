//! A transaction in a caller's name. It begins with its first statement, in one batch with the caller's role and
//! claims; if setting those fails, the statement does not run. If the transaction is dropped, it rolls back.

use std::borrow::Cow;
use std::sync::Arc;

use super::tool_pool::{Busy, Lease, NoLease, ToolPool, text_row};
use super::wait_time::WaitTime;
use behalf_host_db::bind::{self, Access};
use behalf_identity::{CallerKey, Principal};
use behalf_pgwire::{Answer, Step, TxStatus, WireError};

/// Reads the session's role and claims back after every statement, in the same batch, and the transaction's id if it
/// wrote anything. A trigger or view of the project could change the session's identity. The statement's rows, and
/// those of the next one, might then belong to another user.
const IDENTITY: &str = "select current_user::text, coalesce(current_setting('request.jwt.claims', true), ''), \
     coalesce(pg_current_xact_id_if_assigned()::text, '')";

/// Error classes that guests' statements often cause: data exception, constraint, transaction state, rollback, syntax
/// or access, limits, locks, and `RAISE`. After any other error the connection is closed.
const EXPECTED_CLASSES: [&str; 13] = ["0A", "20", "21", "22", "23", "25", "2B", "40", "42", "44", "54", "55", "P0"];

/// A transaction that acts as one principal.
#[derive(Debug)]
pub(super) struct CallerTx {
    pool: Arc<ToolPool>,
    principal: Arc<Principal>,
    key: CallerKey,
    wait_time: Arc<WaitTime>,
    access: Access,
    set_role: String,
    set_claims: String,
    lease: Option<Lease>,
    /// The transaction's id after its last statement, empty if it wrote nothing.
    number: String,
}

/// Why a transaction could not continue or commit.
#[derive(Debug, thiserror::Error)]
pub(super) enum TxError {
    /// A statement failed, so there is nothing to commit.
    #[error("a statement failed, so the transaction was rolled back")]
    Failed,
    /// The session's identity is not the one that was bound.
    #[error(
        "the session's identity changed during the call; the transaction was rolled back and its connection closed"
    )]
    Identity,
    /// There is no connection for this caller.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The server did not run the statement or the commit.
    #[error(transparent)]
    Wire(#[from] WireError),
}

impl TxError {
    /// The server's SQLSTATE, where it gave one.
    pub(super) fn sqlstate(&self) -> Option<&str> {
        match self {
            Self::Wire(error) => error.sqlstate(),
            Self::Failed | Self::Identity | Self::Busy(_) => None,
        }
    }
}

impl From<NoLease> for TxError {
    fn from(error: NoLease) -> Self {
        match error {
            NoLease::Busy(busy) => Self::Busy(busy),
            NoLease::Wire(error) => Self::Wire(error),
        }
    }
}

impl CallerTx {
    pub(super) fn new(pool: Arc<ToolPool>, principal: Arc<Principal>, key: CallerKey, access: Access) -> Self {
        let (set_role, set_claims) = (bind::set_role(&principal), bind::set_claims(&principal));
        let wait_time = Arc::default();
        Self { pool, principal, key, wait_time, access, set_role, set_claims, lease: None, number: String::new() }
    }

    /// The time that was spent on getting connections.
    pub(super) fn wait_time(&self) -> &Arc<WaitTime> {
        &self.wait_time
    }

    async fn lease(&self) -> Result<Lease, NoLease> {
        let left = self.pool.max_wait.saturating_sub(self.wait_time.total());
        let _waiting = self.wait_time.begin();
        self.pool.lease(self.principal.role(), self.key, left).await
    }

    /// Whether the transaction holds a connection.
    pub(super) fn is_open(&self) -> bool {
        self.lease.is_some()
    }

    /// Runs one statement that the gate allowed. The first one begins the transaction.
    pub(super) async fn run(
        &mut self,
        text: &str,
        params: &[Option<Cow<'_, [u8]>>],
        max_rows: u32,
        max_bytes: usize,
    ) -> Result<Answer, TxError> {
        let first = self.lease.is_none();
        let result = self.attempt(text, params, max_rows, max_bytes).await;
        match result {
            // After either failure nothing of the transaction remains, so a new attempt repeats nothing.
            Err(TxError::Wire(error)) if first && self.worth_another_try(&error) => {
                if let (Some(lease), WireError::Server { .. }) = (&mut self.lease, &error) {
                    lease.conn()?.forget(text);
                    lease.rollback().await;
                }
                self.lease = None;
                self.attempt(text, params, max_rows, max_bytes).await
            }
            other => other,
        }
    }

    /// Whether the cause is a prepared statement whose table changed, or an idle connection that had broken.
    fn worth_another_try(&self, error: &WireError) -> bool {
        match error {
            WireError::Server { code, message } => {
                code == "26000" || (code == "0A000" && message.starts_with("cached plan"))
            }
            WireError::Io(_) => self.lease.as_ref().is_some_and(Lease::reused),
            _ => false,
        }
    }

    async fn attempt(
        &mut self,
        text: &str,
        params: &[Option<Cow<'_, [u8]>>],
        max_rows: u32,
        max_bytes: usize,
    ) -> Result<Answer, TxError> {
        let statement = Step { text, params, keep: true, max_rows };
        let identity = Step::command(IDENTITY, true);
        let result = if let Some(lease) = &mut self.lease {
            lease.conn()?.run(&[statement, identity], max_bytes).await
        } else {
            let lease = self.lease().await?;
            let lease = self.lease.insert(lease);
            let steps = [
                Step::command(self.access.begin(), true),
                Step::command(&self.set_role, true),
                Step::command(&self.set_claims, false),
                statement,
                identity,
            ];
            lease.conn()?.run(&steps, max_bytes).await
        };
        match result {
            Ok(mut answers) => {
                let number = answers.pop().and_then(|answer| self.number_if_unchanged(&answer));
                if let (Some(number), Some(answer)) = (number, answers.pop()) {
                    self.number = number;
                    return Ok(answer);
                }
                // Closing the socket rolls back, and no other call gets this session.
                if let Some(lease) = &mut self.lease {
                    lease.close();
                }
                Err(TxError::Identity)
            }
            Err(error) => {
                let expected = error.sqlstate().is_some_and(|code| {
                    code == "57014" || code == "26000" || EXPECTED_CLASSES.iter().any(|class| code.starts_with(class))
                });
                if let (false, Some(lease)) = (expected, &mut self.lease) {
                    lease.close();
                }
                Err(error.into())
            }
        }
    }

    /// Reads the types again, after one was unknown.
    pub(super) async fn refresh_types(&mut self) -> Result<(), WireError> {
        match &mut self.lease {
            Some(lease) => self.pool.load_types(lease.conn()?).await,
            None => Ok(()),
        }
    }

    /// The pool's types.
    pub(super) fn types(&self) -> &super::types::TypeMap {
        &self.pool.types
    }

    /// Checks that the transaction can commit, and returns its id, or `None` if it wrote nothing.
    pub(super) async fn prepare_commit(&mut self) -> Result<Option<String>, TxError> {
        let Some(lease) = &mut self.lease else { return Ok(None) };
        if lease.conn()?.status() != TxStatus::Open {
            self.rollback().await;
            return Err(TxError::Failed);
        }
        Ok(Some(self.number.clone()).filter(|number| !number.is_empty()))
    }

    /// Commits. No statement ran since the identity was last read back.
    pub(super) async fn commit(&mut self) -> Result<(), TxError> {
        let Some(mut lease) = self.lease.take() else { return Ok(()) };
        self.number.clear();
        lease.conn()?.run(&[Step::command("COMMIT", true)], 0).await?;
        Ok(())
    }

    /// The transaction's id, if the answer shows the identity that was bound.
    fn number_if_unchanged(&self, identity: &Answer) -> Option<String> {
        let [user, claims, number] = text_row::<3>(identity.rows.first()?)?;
        (user == self.principal.role().as_str() && claims == bind::quote_free(self.principal.claims()))
            .then_some(number)
    }

    /// Rolls back and returns the connection to the pool.
    pub(super) async fn rollback(&mut self) {
        if let Some(mut lease) = self.lease.take() {
            lease.rollback().await;
        }
    }
}
