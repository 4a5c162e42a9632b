//! Transactions in a caller's name. The caller's role and claims go to the server in one batch with the first statement; if
//! setting those fails, the statement does not run. If a transaction is dropped, it rolls back.
//!
//! A call that may write is one transaction. A call that only reads has a transaction for each statement, in one round trip,
//! so that no connection waits for a tool that thinks; a scope makes it one transaction for several statements.

use std::borrow::Cow;
use std::sync::Arc;

use fallible_iterator::FallibleIterator;

use super::document;
use super::scopes::{Scopes, Undo};
use super::tool_pool::{Busy, Lease, NoLease, ToolPool, text_row};
use super::wait_time::WaitTime;
use behalf_host_db::bind::{self, Access};
use behalf_identity::{CallerKey, Principal};
use behalf_pgwire::{Answer, Step, TxStatus, WireError};

/// Reads the session's role and claims back after every statement, in the same batch. A trigger or view of the project could
/// change the session's identity. The statement's rows, and those of the next one, might then belong to another user.
pub(super) const READER: &str = "select current_user, pg_catalog.current_setting('request.jwt.claims', true)";

/// The same, with the transaction's id if it wrote anything.
const WRITER: &str = "select current_user, pg_catalog.current_setting('request.jwt.claims', true), \
     coalesce(pg_catalog.pg_current_xact_id_if_assigned()::pg_catalog.text, '')";

/// Error classes that guests' statements often cause: data exception, constraint, transaction state, rollback, syntax
/// or access, limits, locks, and `RAISE`. After any other error the connection is closed.
pub(super) const EXPECTED_CLASSES: [&str; 13] =
    ["0A", "20", "21", "22", "23", "25", "2B", "40", "42", "44", "54", "55", "P0"];

/// A statement needed larger temporary files than it may have.
const TOO_MUCH_TEMPORARY: &str = "53400";

/// The transactions of one call, one after the other.
#[derive(Debug)]
pub(super) struct CallerTx {
    pool: Arc<ToolPool>,
    principal: Arc<Principal>,
    key: CallerKey,
    wait_time: Arc<WaitTime>,
    access: Access,
    set_claims: String,
    /// The connection of a transaction that is open.
    lease: Option<Lease>,
    scopes: Scopes,
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
    /// The connection broke before the commit was made.
    #[error("the connection broke before the commit was made; the transaction was rolled back")]
    NotMade,
    /// The connection broke at the commit, and the server cannot say whether it was made.
    #[error("the connection broke at the commit, and nobody knows whether it was made")]
    Unknown,
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
            Self::Failed | Self::Identity | Self::NotMade | Self::Unknown | Self::Busy(_) => None,
        }
    }

    /// Whether a commit that failed so may have been made: the server did not say that it refused it.
    pub(super) fn is_lost(&self) -> bool {
        match self {
            Self::Wire(error) => error.sqlstate().is_none_or(|code| !is_expected(code)),
            Self::Failed | Self::Identity | Self::NotMade | Self::Unknown | Self::Busy(_) => false,
        }
    }
}

/// Whether guests' statements often cause this error. After any other one the connection is closed.
fn is_expected(code: &str) -> bool {
    matches!(code, "57014" | "26000" | TOO_MUCH_TEMPORARY)
        || EXPECTED_CLASSES.iter().any(|class| code.starts_with(class))
}

impl From<NoLease> for TxError {
    fn from(error: NoLease) -> Self {
        match error {
            NoLease::Busy(busy) => Self::Busy(busy),
            NoLease::Wire(error) => Self::Wire(error),
        }
    }
}

/// A statement that the gate allowed, or one of the host's own.
#[derive(Clone, Copy)]
pub(super) struct Allowed<'a> {
    pub(super) text: &'a str,
    pub(super) params: &'a [Option<Cow<'a, [u8]>>],
    /// The numbers of the parameters that are JSON arrays or objects, beginning with 0. They become what their parameters are.
    pub(super) documents: &'a [usize],
    /// The most rows to return.
    pub(super) max_rows: u32,
    /// The most bytes to return.
    pub(super) max_bytes: usize,
    /// A `SET LOCAL …` that runs before it.
    pub(super) before: Option<&'a str>,
    /// Whether it may only read although its transaction may write.
    pub(super) read_only: bool,
}

/// What comes before a statement that may only read in a transaction that may write. Postgres lets no statement of a savepoint leave
/// the mode again, and restores the transaction's own where the savepoint ends.
const ENTER_READ_ONLY: [&str; 2] = ["SAVEPOINT read_only", "SET LOCAL transaction_read_only = on"];
/// What comes after it.
const LEAVE_READ_ONLY: &str = "RELEASE SAVEPOINT read_only";

impl CallerTx {
    pub(super) fn new(pool: Arc<ToolPool>, principal: Arc<Principal>, key: CallerKey, access: Access) -> Self {
        let set_claims = bind::set_claims(&principal);
        let wait_time = Arc::default();
        let (scopes, number) = (Scopes::default(), String::new());
        Self { pool, principal, key, wait_time, access, set_claims, lease: None, scopes, number }
    }

    /// The time that was spent on getting connections.
    pub(super) fn wait_time(&self) -> &Arc<WaitTime> {
        &self.wait_time
    }

    /// The scopes that are open.
    pub(super) fn scopes(&mut self) -> &mut Scopes {
        &mut self.scopes
    }

    async fn lease(&self) -> Result<Lease, NoLease> {
        let left = self.pool.max_wait.saturating_sub(self.wait_time.total());
        let _waiting = self.wait_time.begin();
        self.pool.lease(self.principal.role(), self.key, left).await
    }

    /// Whether a transaction is open and holds a connection.
    pub(super) fn is_open(&self) -> bool {
        self.lease.is_some()
    }

    /// Whether the call is one transaction, which may write.
    pub(super) fn writes(&self) -> bool {
        self.access == Access::Write
    }

    /// Lets the call's transaction write. None is open yet.
    pub(super) fn let_write(&mut self) {
        self.access = Access::Write;
    }

    /// Whether the transaction goes on after the next statement.
    fn stays_open(&self) -> bool {
        self.access == Access::Write || self.scopes.are_open()
    }

    /// Runs one statement. The first one of a transaction begins it.
    pub(super) async fn run(&mut self, statement: Allowed<'_>) -> Result<Answer, TxError> {
        let first = self.lease.is_none();
        let result = match self.attempt(statement).await {
            // After either failure nothing of the transaction remains, so a new attempt repeats nothing.
            Err(TxError::Wire(error)) if first && self.worth_another_try(&error) => {
                if let (Some(lease), WireError::Server { .. }) = (&mut self.lease, &error) {
                    lease.rollback().await;
                }
                self.lease = None;
                self.attempt(statement).await
            }
            other => other,
        };
        // Without a connection nothing was sent, and there is no transaction that could miss it.
        if result.is_ok() || self.lease.is_some() {
            self.scopes.were_sent();
        }
        result
    }

    /// Whether the cause is a prepared statement whose table changed, or an idle connection that had broken.
    fn worth_another_try(&self, error: &WireError) -> bool {
        match error {
            WireError::Server { code, .. } if code.starts_with("57P") => self.lease.as_ref().is_some_and(Lease::reused),
            WireError::Server { .. } => error.is_stale(),
            WireError::Io(_) => self.lease.as_ref().is_some_and(Lease::reused),
            _ => false,
        }
    }

    async fn attempt(&mut self, statement: Allowed<'_>) -> Result<Answer, TxError> {
        let Allowed { text, params, documents, max_rows, max_bytes, before, read_only } = statement;
        let stays_open = self.stays_open();
        let mut params = Cow::Borrowed(params);
        let mut steps = Vec::with_capacity(12);
        if self.lease.is_none() {
            self.lease = Some(self.lease().await?);
            let access = if stays_open && self.access == Access::Read { Access::Snapshot } else { self.access };
            steps.push(Step::command(access.begin(), true));
            steps.push(Step::command(bind::set_role(&self.principal), true));
            steps.push(Step::command(&self.set_claims, false));
        }
        steps.extend(self.scopes.to_send().map(|(text, keep)| Step::command(text, keep)));
        steps.extend(before.map(|text| Step::command(text, false)));
        if read_only {
            steps.extend(ENTER_READ_ONLY.map(|text| Step::command(text, true)));
        }
        if !documents.is_empty() {
            let lease = self.lease.as_mut().ok_or(TxError::Failed)?;
            let written = write_documents(&self.pool, lease, &mut steps, text, params.to_mut(), documents).await;
            if let Err(error) = written {
                return Err(self.failed(text, error)?);
            }
        }
        let params = &*params;
        let place = steps.len();
        steps.push(Step { text, params, keep: true, max_rows, names_columns: true });
        let writes = self.access == Access::Write;
        steps.push(Step::command(if writes { WRITER } else { READER }, true));
        if read_only {
            steps.push(Step::command(LEAVE_READ_ONLY, true));
        }
        if !stays_open {
            steps.push(Step::command("COMMIT", true));
        }
        // The rows are not looked at before the identity that the server answered after them.
        let lease = self.lease.as_mut().ok_or(TxError::Failed)?;
        let result = lease.conn()?.run(&steps, max_bytes).await;
        match result {
            Ok(mut answers) => {
                if !answers.get(place + 1).is_some_and(|identity| self.is_bound(identity)) {
                    // Closing the socket rolls back, and no other call gets this session.
                    if let Some(mut lease) = self.lease.take() {
                        lease.close();
                    }
                    return Err(TxError::Identity);
                }
                if writes
                    && let Some([_, _, number]) = answers.get(place + 1).and_then(|one| text_row(one.rows.first()?))
                {
                    self.number = number;
                }
                if !stays_open {
                    self.lease = None;
                }
                Ok(answers.swap_remove(place))
            }
            Err(error) => Err(self.failed(text, error)?),
        }
    }

    /// Looks after the connection on which a statement failed.
    fn failed(&mut self, text: &str, error: WireError) -> Result<TxError, WireError> {
        let expected = error.sqlstate().is_some_and(is_expected);
        if let Some(lease) = &mut self.lease {
            if !expected {
                lease.close();
            } else if error.is_stale() {
                // The next call that gets this connection prepares it anew, also where this one cannot go on.
                lease.conn()?.forget(text);
            }
        }
        Ok(error.into())
    }

    /// Reads the types again, after one was unknown.
    pub(super) async fn refresh_types(&mut self) -> Result<(), TxError> {
        if let Some(lease) = &mut self.lease {
            return Ok(self.pool.load_types(lease.conn()?).await?);
        }
        let mut lease = self.lease().await?;
        Ok(self.pool.load_types(lease.conn()?).await?)
    }

    /// The pool's types.
    pub(super) fn types(&self) -> &super::types::TypeMap {
        &self.pool.types
    }

    /// Undoes what the innermost scope changed, after a statement in it failed, and returns whether the call can go on.
    pub(super) async fn undo_scope(&mut self) -> bool {
        match self.scopes.fail() {
            Some(Undo::Transaction) => {
                self.rollback().await;
                true
            }
            Some(Undo::Savepoint(steps)) => match &mut self.lease {
                // Nothing was sent since the savepoint was to be set.
                None => true,
                Some(lease) => {
                    let Ok(conn) = lease.conn() else { return false };
                    if conn.in_flight() || conn.status() == TxStatus::Idle {
                        return false;
                    }
                    let steps = steps.each_ref().map(|text| Step::command(text, false));
                    conn.run(&steps, 0).await.is_ok() && conn.status() == TxStatus::Open
                }
            },
            None => false,
        }
    }

    /// Ends the innermost scope, and keeps or undoes what it changed.
    pub(super) async fn end_scope(&mut self, keep: bool) -> Result<(), TxError> {
        self.scopes.end(keep);
        if self.stays_open() || self.lease.is_none() {
            return Ok(());
        }
        // A scope of a call that reads was a transaction of its own.
        self.commit().await
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
        let mut steps: Vec<_> = self.scopes.to_send().map(|(text, keep)| Step::command(text, keep)).collect();
        steps.push(Step::command("COMMIT", true));
        let result = lease.conn()?.run(&steps, 0).await;
        self.scopes.were_sent();
        result?;
        Ok(())
    }

    /// Whether the answer shows the identity that was bound.
    fn is_bound(&self, identity: &Answer) -> bool {
        let Some(row) = identity.rows.first() else { return false };
        let mut ranges = row.ranges();
        let mut field = || row.buffer().get(ranges.next().ok()???);
        let (user, claims) = (field(), field());
        user == Some(self.principal.role().as_str().as_bytes())
            && claims.is_some()
            && claims == bind::bound_claims(&self.set_claims).map(str::as_bytes)
    }

    /// Rolls back and returns the connection to the pool.
    pub(super) async fn rollback(&mut self) {
        self.scopes.were_sent();
        if let Some(mut lease) = self.lease.take() {
            lease.rollback().await;
        }
    }
}

/// Puts JSON arrays and objects into the form that their parameters take. What kind of parameters these are is asked once for each
/// connection and statement; the steps that come before the statement go with the question.
async fn write_documents(
    pool: &ToolPool,
    lease: &mut Lease,
    steps: &mut Vec<Step<'_>>,
    text: &str,
    params: &mut [Option<Cow<'_, [u8]>>],
    documents: &[usize],
) -> Result<(), WireError> {
    let conn = lease.conn()?;
    let parameters = if let Some(known) = conn.known_parameters(text) {
        known
    } else {
        let asked = conn.parameters(steps, text).await?;
        steps.clear();
        asked
    };
    pool.know_types(conn, documents.iter().filter_map(|index| parameters.get(*index))).await?;
    for index in documents {
        let (Some(Some(value)), Some(oid)) = (params.get_mut(*index), parameters.get(*index)) else { continue };
        if let Some(literal) =
            std::str::from_utf8(value).ok().and_then(|text| document::literal(text, *oid, &pool.types))
        {
            *value = Cow::Owned(literal.into_bytes());
        }
    }
    Ok(())
}
