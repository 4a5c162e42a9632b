//! The identity of a transaction whose statements are sent in one message: bound before them, and looked at behind them. And when such
//! a message may be sent again.

use std::borrow::Cow;

use behalf_host_db::bind::{self, ASSERT_IDENTITY, Access};
use behalf_identity::Principal;
use behalf_pgwire::{Answer, Step, WireError};

use super::app::AppError;
use super::caller_tx::{EXPECTED_CLASSES, READER};
use super::tool_pool::{Lease, text_row};

/// A division by zero: what [`ASSERT_IDENTITY`] fails with.
const DIVISION_BY_ZERO: &str = "22012";

/// A statement that was prepared is gone, because the app's own code threw it away.
const NOT_PREPARED: &str = "26000";

/// A caller, as one message binds and checks it.
pub(super) struct Identity<'a> {
    principal: &'a Principal,
    set_claims: &'a str,
    claims: &'a str,
    writes: bool,
    /// The parameters of [`ASSERT_IDENTITY`].
    params: [Option<Cow<'a, [u8]>>; 2],
}

impl<'a> Identity<'a> {
    /// The identity of a transaction that reads, or that may write. `set_claims` is the statement that binds the caller's claims.
    pub(super) fn new(principal: &'a Principal, set_claims: &'a str, writes: bool) -> Self {
        let claims = bind::bound_claims(set_claims).unwrap_or_default();
        let params = [principal.role().as_str(), claims].map(|text| Some(Cow::Borrowed(text.as_bytes())));
        Self { principal, set_claims, claims, writes, params }
    }

    /// What begins the transaction.
    pub(super) fn begin(&self) -> [Step<'a>; 3] {
        let access = if self.writes { Access::Write } else { Access::Read };
        [
            Step::command(access.begin(), true),
            Step::command(bind::set_role(self.principal), true),
            Step::command(self.set_claims, false),
        ]
    }

    /// What stands behind the statements: the last step reads the identity back. A write fails there if it is another one, before
    /// anything can be committed.
    pub(super) fn steps(&self) -> impl Iterator<Item = Step<'_>> {
        // Triggers that wait for the commit run before the identity is looked at, and before a rollback that was asked for.
        let settle = self.writes.then(|| Step::command("SET CONSTRAINTS ALL IMMEDIATE", true));
        let read = if self.writes {
            Step { params: &self.params, ..Step::command(ASSERT_IDENTITY, true) }
        } else {
            Step::command(READER, true)
        };
        settle.into_iter().chain([read])
    }

    /// Checks what the server answered to the last of [`Identity::steps`], before anything of the statements is looked at. Returns
    /// the id of the transaction if it wrote. The connection is closed if the identity is another one.
    pub(super) fn check(&self, lease: &mut Lease, answer: Option<&Answer>) -> Result<Option<String>, AppError> {
        let row: Option<[String; 2]> = answer.and_then(|one| text_row(one.rows.first()?));
        match row {
            Some([number, one]) if self.writes && one == "1" => Ok(Some(number).filter(|number| !number.is_empty())),
            Some([role, claims]) if !self.writes && role == self.principal.role().as_str() && claims == self.claims => {
                Ok(None)
            }
            _ => {
                lease.close();
                Err(AppError::Identity)
            }
        }
    }

    /// Why the message failed, whose step number `place` is the last of [`Identity::steps`].
    pub(super) fn failed(&self, lease: &mut Lease, place: usize, error: WireError) -> AppError {
        let answered = lease.conn().map_or(0, |conn| conn.answered());
        if self.writes && answered == place && error.sqlstate() == Some(DIVISION_BY_ZERO) {
            lease.close();
            return AppError::Identity;
        }
        error.into()
    }
}

/// Makes ready for a second attempt, if nothing of the first one was done: its connection had broken while it was idle, or a
/// statement that was prepared is out of date or gone. `texts` are the statements that may be out of date.
///
/// The second attempt has the first one's place: requests that each waited for another one would wait for each other.
pub(super) async fn may_repeat<'t>(
    lease: &mut Lease,
    only_reads: bool,
    error: &AppError,
    texts: impl IntoIterator<Item = &'t str>,
) -> Result<bool, AppError> {
    let AppError::Database(error) = error else { return Ok(false) };
    if never_began(only_reads, lease, error) || error.sqlstate() == Some(NOT_PREPARED) {
        lease.close();
        lease.reopen().await?;
        return Ok(true);
    }
    if error.is_stale() {
        lease.rollback().await;
        let conn = lease.conn()?;
        texts.into_iter().for_each(|text| conn.forget(text));
        return Ok(true);
    }
    Ok(false)
}

/// Closes the connection after an error that does not often happen.
pub(super) fn settle<T>(lease: &mut Lease, result: &Result<T, AppError>) {
    match result {
        Err(AppError::Database(error)) if !is_usual(error) => lease.close(),
        Err(AppError::Unknown(_)) => lease.close(),
        _ => {}
    }
}

/// Whether a connection that had been idle was found broken before anything was done on it. A write is repeated only where the
/// server itself said so, before it answered the first step.
fn never_began(only_reads: bool, lease: &mut Lease, error: &WireError) -> bool {
    if !lease.reused() {
        return false;
    }
    match error {
        WireError::Io(_) => only_reads && lease.conn().is_ok_and(|conn| conn.answered() == 0),
        WireError::Server { code, .. } => {
            code.starts_with("57P") && lease.conn().is_ok_and(|conn| conn.answered() == 0 && conn.in_flight())
        }
        _ => false,
    }
}

/// Whether statements often fail so. After any other error the connection is closed.
fn is_usual(error: &WireError) -> bool {
    let code = error.sqlstate().unwrap_or_default();
    code == "57014"
        // What an app's function raises to choose its answer.
        || code.starts_with("PT")
        || code.starts_with("PGRST")
        || EXPECTED_CLASSES.iter().any(|class| code.starts_with(class))
}
