//! The door for statements of the host's own that run as a caller, such as those of `/storage/v1`. Their texts are constants of the
//! program, so nothing of a request can become SQL; policies and rights of the caller hold for them.

use std::borrow::Cow;

use behalf_host_db::bind::{self, ASSERT_IDENTITY, Access as Mode};
use behalf_identity::{CallerKey, Principal};
use behalf_pgwire::{Answer as Rows, Step, WireError};
use fallible_iterator::FallibleIterator as _;
use futures::future::BoxFuture;
use postgres_protocol::message::backend::DataRowBody;

use super::CallerDb;
use super::app::{AppError, AppLimits};
use super::caller_tx::{READER, is_stale};
use super::tool_pool::{Lease, text_row};

/// A division by zero: what [`ASSERT_IDENTITY`] fails with.
const DIVISION_BY_ZERO: &str = "22012";

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
    /// The statement.
    pub text: &'static str,
    /// Its parameters in text format; `None` is NULL.
    pub params: &'a [Option<&'a str>],
    /// Its limits.
    pub limits: AppLimits,
}

/// A row of a fixed statement: its columns as text, `None` for NULL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixedRow(Vec<Option<String>>);

impl FixedRow {
    /// A column as text; `None` where it is NULL or not there.
    pub fn text(&self, column: usize) -> Option<&str> {
        self.0.get(column)?.as_deref()
    }

    fn read(row: &DataRowBody) -> Result<Self, WireError> {
        let wrong = || WireError::Protocol("a row cannot be read");
        let (mut columns, mut ranges) = (Vec::with_capacity(8), row.ranges());
        while let Some(range) = ranges.next().map_err(|_| wrong())? {
            let bytes = range.map(|range| row.buffer().get(range).ok_or_else(wrong)).transpose()?;
            columns.push(bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()));
        }
        Ok(Self(columns))
    }
}

impl CallerDb {
    /// Runs a fixed statement as its caller, in one round trip. If this is dropped, the statement is cancelled and the transaction
    /// rolls back, unless its commit has begun.
    pub fn run_fixed<'a>(&'a self, request: FixedRequest<'a>) -> BoxFuture<'a, Result<Vec<FixedRow>, AppError>> {
        Box::pin(async move {
            let pool = &self.shared.pool;
            let mut lease = pool.lease(request.principal.role(), request.key, pool.max_wait).await?;
            let deadline = request.limits.deadline;
            let work = run(&mut lease, &request);
            tokio::time::timeout(deadline, work).await.unwrap_or(Err(AppError::Deadline(deadline)))
        })
    }
}

/// Runs it, and again if nothing of it was done because of a stale statement or of a connection that had broken.
async fn run(lease: &mut Lease, request: &FixedRequest<'_>) -> Result<Vec<FixedRow>, AppError> {
    let set_claims = bind::set_claims(request.principal);
    let mut result = attempt(lease, request, &set_claims).await;
    match &result {
        Err(AppError::Database(error))
            if super::app::never_began(request.access == FixedAccess::Read, lease, error) =>
        {
            lease.close();
            lease.reopen().await?;
            result = attempt(lease, request, &set_claims).await;
        }
        Err(AppError::Database(error)) if is_stale(error) => {
            lease.rollback().await;
            lease.conn()?.forget(request.text);
            result = attempt(lease, request, &set_claims).await;
        }
        _ => {}
    }
    match &result {
        Err(AppError::Database(error)) if !super::app::is_usual(error) => lease.close(),
        Err(AppError::Identity) => lease.close(),
        _ => {}
    }
    result
}

async fn attempt(lease: &mut Lease, request: &FixedRequest<'_>, set_claims: &str) -> Result<Vec<FixedRow>, AppError> {
    let (role, claims) = (request.principal.role().as_str(), bind::bound_claims(set_claims).unwrap_or_default());
    let params: Vec<Option<Cow<'_, [u8]>>> =
        request.params.iter().map(|param| param.map(|text| Cow::Borrowed(text.as_bytes()))).collect();
    let identity = [Some(Cow::Borrowed(role.as_bytes())), Some(Cow::Borrowed(claims.as_bytes()))];
    let writes = request.access != FixedAccess::Read;
    let mode = if writes { Mode::Write } else { Mode::Read };
    let mut steps = vec![
        Step::command(mode.begin(), true),
        Step::command(bind::set_role(request.principal), true),
        Step::command(set_claims, false),
    ];
    steps.extend(request.settings.iter().map(|text| Step::command(text, true)));
    let main = steps.len();
    steps.push(Step { params: &params, ..Step::command(request.text, true) });
    if writes {
        // Triggers that wait for the commit run before the identity is looked at, and before a rollback that was asked for.
        steps.push(Step::command("SET CONSTRAINTS ALL IMMEDIATE", true));
    }
    let checked = steps.len();
    steps.push(if writes {
        Step { params: &identity, ..Step::command(ASSERT_IDENTITY, true) }
    } else {
        Step::command(READER, true)
    });
    steps.push(Step::command(if request.access == FixedAccess::Try { "ROLLBACK" } else { "COMMIT" }, true));
    if writes {
        // What functions of the app may have set for the session instead of the transaction.
        steps.push(Step::command("RESET ALL", true));
    }
    let answers = match lease.conn()?.run(&steps, request.limits.max_bytes).await {
        Ok(answers) => answers,
        Err(error) => {
            let answered = lease.conn().map_or(0, |conn| conn.answered());
            let is_identity = writes && answered == checked && error.sqlstate() == Some(DIVISION_BY_ZERO);
            return Err(if is_identity { AppError::Identity } else { error.into() });
        }
    };
    if !is_bound(answers.get(checked), writes, role, claims) {
        return Err(AppError::Identity);
    }
    let answer = answers.get(main).ok_or(WireError::Protocol("an answer is missing"))?;
    if answer.truncated {
        return Err(AppError::TooLarge(request.limits.max_bytes));
    }
    answer.rows.iter().map(|row| FixedRow::read(row).map_err(AppError::from)).collect()
}

/// Whether the server answered with the identity that was bound.
fn is_bound(answer: Option<&Rows>, writes: bool, role: &str, claims: &str) -> bool {
    let row: Option<[String; 2]> = answer.and_then(|one| text_row(one.rows.first()?));
    match row {
        Some([_, one]) if writes => one == "1",
        Some([is_role, is_claims]) => is_role == role && is_claims == claims,
        None => false,
    }
}
