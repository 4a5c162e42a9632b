//! What a caller may do in a private channel. The door through which this feature asks the database as a caller about messages.
//!
//! The app's policies on `realtime.messages` decide. A function of the database tries them: it writes rows that can never be
//! committed, reads them as the caller and tries to write such rows as the caller, and undoes all of it before it answers
//! (`migrations/0033_realtime.sql`). The transaction is rolled back as well.

use std::time::Duration;

use behalf_caller_db::{AppError, AppLimits, CallerDb, FixedAccess, FixedRequest, FixedRow};
use behalf_identity::{CallerKey, Principal};
use behalf_problem::{Kind, Problem};
use thiserror::Error;

/// How long policies may take: `statement_timeout` of what is asked as a caller.
const POLICY_TIME: &str = "SET LOCAL statement_timeout = '3s'";

/// A little longer, for a server that does not keep to it.
pub(crate) const DEADLINE: Duration = Duration::from_secs(4);

/// Four booleans and two codes.
const LIMITS: AppLimits = AppLimits { max_bytes: 4_096, deadline: DEADLINE };

const RIGHTS: &str = "
    select r.read_broadcast::text, r.write_broadcast::text, r.read_presence::text, r.write_presence::text, r.read_failed, r.write_failed
    from behalf_realtime.rights($1::text) r";

/// What a caller may do in the private channel of a topic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is decided by itself")]
pub(crate) struct Rights {
    /// Receive broadcasts.
    pub(crate) read_broadcast: bool,
    /// Send broadcasts.
    pub(crate) write_broadcast: bool,
    /// Learn who is there.
    pub(crate) read_presence: bool,
    /// Be there.
    pub(crate) write_presence: bool,
}

/// Why a question to the policies has no answer, or a message was not stored. Whoever gets one has no right.
#[derive(Debug, Error)]
pub(crate) enum RightsError {
    /// No row can have such a topic.
    #[error("a topic has at least one character, and no NUL character")]
    Topic,
    /// The policies do not let the caller send there.
    #[error("the policies on realtime.messages do not let this caller send to the topic")]
    Denied,
    /// A policy, or a trigger of the app's, failed.
    #[error("a policy on realtime.messages failed for this caller and topic (SQLSTATE {0})")]
    Policy(String),
    /// Policies took too long.
    #[error("the policies on realtime.messages took too long")]
    Slow,
    /// The database has no table of messages that this host can use.
    #[error("this database has no private channels: its table realtime.messages is missing, or has another form")]
    NotServed,
    /// The message cannot be stored as it is.
    #[error("the payload holds something that cannot be stored, such as a NUL character")]
    Payload,
    /// The time to replay from is none.
    #[error("messages are replayed since a number of milliseconds since 1970")]
    Since,
    /// What there is to replay is too much at once.
    #[error("the messages to replay have more than {0} bytes; ask for fewer of them")]
    TooMuch(usize),
    /// There is no connection for this caller.
    #[error("{0}")]
    Busy(String),
    /// The database cannot be asked.
    #[error("the database cannot be asked about private channels right now")]
    Database(#[source] AppError),
}

impl Problem for RightsError {
    fn kind(&self) -> Kind {
        match self {
            Self::Topic | Self::Payload | Self::Since => Kind::BadRequest,
            Self::Denied | Self::Policy(_) => Kind::Forbidden,
            Self::Slow | Self::Database(_) => Kind::Unavailable,
            Self::NotServed => Kind::NotImplemented,
            Self::TooMuch(_) => Kind::TooLarge,
            Self::Busy(_) => Kind::Busy,
        }
    }
}

impl RightsError {
    /// What a code of the server means here.
    fn of_code(code: &str) -> Self {
        match code {
            // No table, schema, function or column of this name; or no trigger of the host's on it.
            "42P01" | "3F000" | "42883" | "42703" | "BHRT2" => Self::NotServed,
            "42501" => Self::Denied,
            "57014" => Self::Slow,
            code => Self::Policy(code.to_owned()),
        }
    }
}

impl From<AppError> for RightsError {
    fn from(error: AppError) -> Self {
        match error {
            AppError::Busy(text) => Self::Busy(text),
            AppError::Deadline(_) => Self::Slow,
            AppError::TooLarge(bytes) => Self::TooMuch(bytes),
            AppError::Database(wire) => match wire.sqlstate() {
                Some(code) if !is_away(code) => Self::of_code(code),
                _ => Self::Database(AppError::Database(wire)),
            },
            error @ (AppError::Refused(_) | AppError::Identity | AppError::Unknown(_)) => Self::Database(error),
        }
    }
}

/// Whether the server ends, is full or was lost, and not what it was asked is at fault.
fn is_away(code: &str) -> bool {
    ["08", "53", "57P", "58", "XX"].iter().any(|class| code.starts_with(class))
}

/// What the caller may do in the private channel of this topic. A policy that fails to judge what is written gives no right to write;
/// one that fails to judge what is read is an error.
pub(crate) async fn rights(db: &CallerDb, principal: &Principal, topic: &str) -> Result<Rights, RightsError> {
    let rows = run(db, principal, FixedAccess::Try, topic, RIGHTS, &[Some(topic)], LIMITS).await?;
    read(rows.first())
}

fn read(row: Option<&FixedRow>) -> Result<Rights, RightsError> {
    let column = |number: usize| row.and_then(|row| row.text(number));
    if let Some(code) = column(4) {
        return Err(match RightsError::of_code(code) {
            // Also whoever may not read the table at all is denied by a policy's words.
            RightsError::Denied => RightsError::Policy(code.to_owned()),
            error => error,
        });
    }
    if let Some(code) = column(5) {
        tracing::debug!(code, "a policy on realtime.messages failed to judge what is written");
    }
    let may = |number: usize| column(number) == Some("true");
    Ok(Rights { read_broadcast: may(0), write_broadcast: may(1), read_presence: may(2), write_presence: may(3) })
}

/// Runs a statement about the messages of a topic as the caller.
pub(crate) async fn run(
    db: &CallerDb,
    principal: &Principal,
    access: FixedAccess,
    topic: &str,
    text: &'static str,
    params: &[Option<&str>],
    limits: AppLimits,
) -> Result<Vec<FixedRow>, RightsError> {
    if topic.is_empty() || params.iter().flatten().any(|text| text.contains('\0')) {
        return Err(RightsError::Topic);
    }
    let key = CallerKey::new(principal, None);
    let (settings, variables) = (&[POLICY_TIME], &[("realtime.topic", topic)]);
    let request = FixedRequest { principal, key, access, settings, variables, text, params, limits };
    Ok(db.run_fixed(request).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_gives_no_right_and_says_whose_it_is() {
        for (code, kind) in [
            ("42501", Kind::Forbidden),
            ("22P02", Kind::Forbidden),
            ("P0001", Kind::Forbidden),
            ("57014", Kind::Unavailable),
            ("42P01", Kind::NotImplemented),
            ("BHRT2", Kind::NotImplemented),
        ] {
            assert_eq!(RightsError::of_code(code).kind(), kind, "{code}");
        }
        assert!(RightsError::of_code("22P02").to_string().contains("22P02"));
        assert!(read(None).is_ok_and(|rights| rights == Rights::default()), "no answer is no right");
        assert_eq!(RightsError::from(AppError::Deadline(DEADLINE)).kind(), Kind::Unavailable);
        assert!(is_away("57P01") && is_away("08006") && !is_away("57014") && !is_away("42501"));
    }
}
