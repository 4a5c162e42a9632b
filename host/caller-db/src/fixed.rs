//! The door for statements of the host's own that run as a caller, such as those of `/storage/v1`. Their texts are constants of the
//! program, so nothing of a request can become SQL; policies and rights of the caller hold for them.

use std::borrow::Cow;

use behalf_host_db::bind;
use behalf_identity::{CallerKey, Principal};
use behalf_pgwire::{Step, WireError};
use futures::future::BoxFuture;

use super::CallerDb;
use super::app::{AppError, AppLimits};
use super::identity::{Identity, may_repeat, settle};
use super::tool_pool::Lease;

pub use behalf_pgwire::TextRow as FixedRow;

/// How the transaction of a fixed statement ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FixedAccess {
    /// It reads.
    Read,
    /// It writes and commits.
    Write,
    /// It writes and is rolled back: it tells whether the caller may write so.
    Try,
}

/// A setting that the statement's policies and triggers may read: its name, and its value, both constants.
pub type FixedSetting = &'static str;

/// One statement with a fixed text, and as whom it runs.
#[derive(Clone, Copy, Debug)]
pub struct FixedRequest<'a> {
    /// The caller.
    pub principal: &'a Principal,
    /// Whose share of the connections it uses.
    pub key: CallerKey,
    /// How the transaction ends.
    pub access: FixedAccess,
    /// `SET LOCAL …` statements that run before it.
    pub settings: &'a [FixedSetting],
    /// Settings of the transaction whose values are the request's: a constant name, and the value.
    pub variables: &'a [(&'static str, &'a str)],
    /// The statement.
    pub text: &'static str,
    /// Its parameters in text format; `None` is NULL.
    pub params: &'a [Option<&'a str>],
    /// Its limits.
    pub limits: AppLimits,
}

/// `SET LOCAL name = E'…'`. SET takes no parameters, and callers may not call the function that does. In a literal of this form every
/// quote is written twice and every backslash twice, whatever the session's settings are, so a value cannot end it.
fn set_variable(name: &'static str, value: &str) -> String {
    let value = value.replace('\\', r"\\").replace('\'', "''");
    format!("SET LOCAL {name} = E'{value}'")
}

/// A statement as it is run: one with a fixed text, or one whose text was derived of policies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work<'a> {
    pub(super) principal: &'a Principal,
    pub(super) key: CallerKey,
    pub(super) access: FixedAccess,
    pub(super) settings: &'a [FixedSetting],
    pub(super) variables: &'a [(&'static str, &'a str)],
    pub(super) text: &'a str,
    pub(super) params: &'a [Option<&'a str>],
    pub(super) limits: AppLimits,
}

impl CallerDb {
    /// Runs a fixed statement as its caller, in one round trip. If this is dropped, the statement is cancelled and the transaction
    /// rolls back, unless its commit has begun.
    pub fn run_fixed<'a>(&'a self, request: FixedRequest<'a>) -> BoxFuture<'a, Result<Vec<FixedRow>, AppError>> {
        let FixedRequest { principal, key, access, settings, variables, text, params, limits } = request;
        self.run_work(Work { principal, key, access, settings, variables, text, params, limits })
    }

    pub(super) fn run_work<'a>(&'a self, request: Work<'a>) -> BoxFuture<'a, Result<Vec<FixedRow>, AppError>> {
        Box::pin(async move {
            let pool = &self.shared.pool;
            let mut lease = pool.lease(request.principal.role(), request.key, pool.max_wait).await?;
            let deadline = request.limits.deadline;
            let work = run(&mut lease, &request);
            let result = tokio::time::timeout(deadline, work).await.unwrap_or(Err(AppError::Deadline(deadline)));
            if let Some(trace) = self.shared.trace.get() {
                trace.add_own(request.principal, request.text, result.as_ref().map(Vec::len));
            }
            result
        })
    }
}

/// Runs it, and again if nothing of it was done because of a stale statement or of a connection that had broken.
async fn run(lease: &mut Lease, request: &Work<'_>) -> Result<Vec<FixedRow>, AppError> {
    let set_claims = bind::set_claims(request.principal);
    let identity = Identity::new(request.principal, &set_claims, request.access != FixedAccess::Read);
    let mut result = attempt(lease, request, &identity).await;
    if let Err(error) = &result
        && may_repeat(lease, request.access == FixedAccess::Read, error, [request.text]).await?
    {
        result = attempt(lease, request, &identity).await;
    }
    settle(lease, &result);
    result
}

async fn attempt(lease: &mut Lease, request: &Work<'_>, identity: &Identity<'_>) -> Result<Vec<FixedRow>, AppError> {
    let params: Vec<Option<Cow<'_, [u8]>>> =
        request.params.iter().map(|param| param.map(|text| Cow::Borrowed(text.as_bytes()))).collect();
    let variables: Vec<String> = request.variables.iter().map(|(name, value)| set_variable(name, value)).collect();
    let mut steps = Vec::with_capacity(10);
    steps.extend(identity.begin());
    steps.extend(request.settings.iter().map(|text| Step::command(text, true)));
    steps.extend(variables.iter().map(|text| Step::command(text, false)));
    let main = steps.len();
    steps.push(Step { params: &params, ..Step::command(request.text, true) });
    steps.extend(identity.steps());
    let checked = steps.len() - 1;
    steps.push(Step::command(if request.access == FixedAccess::Try { "ROLLBACK" } else { "COMMIT" }, true));
    if request.access != FixedAccess::Read {
        // What functions of the app may have set for the session instead of the transaction.
        steps.push(Step::command("RESET ALL", true));
    }
    let answers = lease.conn()?.run(&steps, request.limits.max_bytes).await;
    let answers = answers.map_err(|error| {
        let failed = identity.failed(lease, checked, error);
        if request.access == FixedAccess::Write { failed.of_commit() } else { failed }
    })?;
    identity.check(lease, answers.get(checked))?;
    let answer = answers.get(main).ok_or(WireError::Protocol("an answer is missing"))?;
    if answer.truncated {
        return Err(AppError::TooLarge(request.limits.max_bytes));
    }
    answer.rows.iter().map(|row| FixedRow::read(row).map_err(AppError::from)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_end_its_literal() {
        for (value, literal) in [
            ("'x' | 'y'", "'''x'' | ''y'''"),
            (r"\'; drop table x; --", r"'\\''; drop table x; --'"),
            (r"\", r"'\\'"),
            ("", "''"),
        ] {
            assert_eq!(set_variable("a.b", value), format!("SET LOCAL a.b = E{literal}"));
        }
    }
}
