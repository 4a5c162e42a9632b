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
    /// Whether a tool is called. A statement of the test itself ends nothing.
    in_call: bool,
    /// The first statement of the call that failed outside of a scope.
    failed: Option<Error>,
}

impl Scopes {
    /// A tool is called.
    pub(super) fn begin_call(&mut self) {
        (self.in_call, self.failed) = (true, None);
    }

    /// The call ends. Returns the statement's error with which it fails, whatever the tool answers.
    pub(super) fn end_call(&mut self) -> Option<Error> {
        self.in_call = false;
        let left_failed = core::mem::take(&mut self.open).pop() == Some(true);
        self.failed.take().or_else(|| left_failed.then(aborted))
    }

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

    /// Refuses a statement in a scope in which one failed, or after one that failed outside of a scope.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.open.last() == Some(&true) || self.failed.is_some() { Err(aborted()) } else { Ok(()) }
    }

    /// Refuses a commit in an open scope.
    pub(super) fn check_commit(&self) -> Result<(), Error> {
        if self.open.is_empty() { Ok(()) } else { Err(error("invalid", "a scope is open; end it before the commit")) }
    }

    /// Takes note of a statement's error. What the host refuses before it reaches the database ends nothing.
    pub(super) fn note(&mut self, error: &Error) {
        if ["refused", "not_granted"].contains(&&*error.code) {
            return;
        }
        match self.open.last_mut() {
            Some(failed) => *failed = true,
            None if self.in_call && self.failed.is_none() => self.failed = Some(error.clone()),
            None => {}
        }
    }

    /// Whether each ended scope was kept, in the order in which they ended.
    pub(super) fn ended(&self) -> &[bool] {
        &self.ended
    }
}

fn aborted() -> Error {
    error("aborted", "an earlier statement of this call, or of the open scope, failed, so its work was undone")
}

fn error(code: &str, message: &str) -> Error {
    Error { code: code.into(), sqlstate: None, message: message.into(), retryable: false }
}
