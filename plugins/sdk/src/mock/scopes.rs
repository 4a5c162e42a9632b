//! The scopes of a mocked database.

use alloc::format;
use alloc::vec::Vec;

use crate::bindings::behalf::tool::database::Error;

/// Scopes that may be open at the same time. The host has the same limit.
const MAX_OPEN: usize = 8;

/// The scopes of a call. They refuse what the host refuses; nothing is undone, because there are no rows.
#[derive(Debug, Default)]
pub(super) struct Scopes {
    /// Whether a statement failed, for each open scope, the innermost last.
    open: Vec<bool>,
    /// Whether it was kept, for each ended scope.
    ended: Vec<bool>,
}

impl Scopes {
    /// Opens a scope.
    pub(super) fn begin(&mut self) -> Result<(), Error> {
        self.check()?;
        if self.open.len() == MAX_OPEN {
            return Err(error("limit", &format!("{MAX_OPEN} scopes are open already; end one first")));
        }
        self.open.push(false);
        Ok(())
    }

    /// Ends the innermost scope.
    pub(super) fn end(&mut self, keep: bool) -> Result<(), Error> {
        let failed = self.open.pop().ok_or_else(|| error("invalid", "no scope is open"))?;
        self.ended.push(keep && !failed);
        if keep && failed { Err(aborted()) } else { Ok(()) }
    }

    /// Refuses a statement in a scope in which one failed.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.open.last() == Some(&true) { Err(aborted()) } else { Ok(()) }
    }

    /// Refuses a commit in an open scope.
    pub(super) fn check_commit(&self) -> Result<(), Error> {
        if self.open.is_empty() { Ok(()) } else { Err(error("invalid", "a scope is open; end it before the commit")) }
    }

    /// Takes note of a statement's error. What the host refuses before it reaches the database ends no scope.
    pub(super) fn note(&mut self, error: &Error) {
        if let Some(failed) = self.open.last_mut().filter(|_| !["refused", "not_granted"].contains(&&*error.code)) {
            *failed = true;
        }
    }

    /// Whether each ended scope was kept, in the order in which they ended.
    pub(super) fn ended(&self) -> &[bool] {
        &self.ended
    }
}

fn aborted() -> Error {
    error("aborted", "an earlier statement of this scope failed, so it was undone")
}

fn error(code: &str, message: &str) -> Error {
    Error { code: code.into(), sqlstate: None, message: message.into(), retryable: false }
}
