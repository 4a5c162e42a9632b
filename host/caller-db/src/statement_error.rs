//! Why a guest's statement failed.

use behalf_gate::Refusal;
use behalf_pgwire::WireError;
use behalf_problem::{LogText as _, Private};

use super::caller_tx::TxError;

/// The SQLSTATE of a statement for which the server had no memory.
pub(super) const OUT_OF_MEMORY: &str = "53200";

/// Why a guest's statement failed, in the terms of the plugin interface.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the statement failed: {code}{}", .sqlstate.as_ref().map(|state| format!(" (SQLSTATE {state})")).unwrap_or_default())]
pub struct StatementError {
    /// One of the codes of `behalf:tool/database.error`, or [`StatementError::BUSY`].
    pub code: &'static str,
    /// The server's SQLSTATE.
    pub sqlstate: Option<String>,
    /// The cause and the fix; where the server refused the statement, its message.
    pub message: Private,
    /// Whether the same statement may succeed later.
    pub retryable: bool,
}

impl StatementError {
    /// The code where the host has no connection for the caller. No guest sees it: the call ends.
    pub const BUSY: &'static str = "busy";

    /// The code where nobody knows whether a commit was made.
    pub const UNKNOWN: &'static str = "unknown";

    pub(super) fn new(code: &'static str, message: impl Into<Private>) -> Self {
        Self { code, sqlstate: None, message: message.into(), retryable: false }
    }

    /// Whether the database was away: it could not be reached, ended the session, or lacks what it needs. Transactions that were in
    /// each other's way (class 40) and faults inside of the server (class XX) can come from the statement, and are no outage.
    pub fn is_outage(&self) -> bool {
        let is_of_statement = |code: &str| code.starts_with("40") || code.starts_with("XX");
        self.code == "unavailable" && !self.sqlstate.as_deref().is_some_and(is_of_statement)
    }

    pub(super) fn aborted() -> Self {
        Self::new(
            "aborted",
            "an earlier statement of this call failed or its transaction idled too long, so it was rolled back; return an error, or answer without the database",
        )
    }

    /// The statement takes another number of parameters than it was given.
    pub(super) fn wrong_parameters(taken: usize, given: usize) -> Self {
        let wanted = match taken {
            0 => "no parameters".to_owned(),
            1 => "1 parameter ($1)".to_owned(),
            many => format!("{many} parameters ($1 to ${many})"),
        };
        let came = if given == 1 { "1 was given".to_owned() } else { format!("{given} were given") };
        // What Postgres says of it.
        let sqlstate = Some("08P01".to_owned());
        Self { sqlstate, ..Self::new("invalid", format!("the statement takes {wanted}, and {came}")) }
    }

    /// The same for a call whose tool answered as if nothing had failed.
    pub(super) fn ignored(self) -> Self {
        let message = self.message.map(|text| format!("a statement failed, and the tool went on without it: {text}"));
        Self { message, ..self }
    }

    pub(super) fn scope_failed() -> Self {
        Self::new(
            "aborted",
            "an earlier statement of this scope failed, so it was undone; end it, and go on outside of it",
        )
    }
}

impl From<&Refusal> for StatementError {
    fn from(refusal: &Refusal) -> Self {
        let code = if refusal.is_missing_grant() { "not_granted" } else { "refused" };
        Self::new(code, refusal.to_string())
    }
}

impl From<&TxError> for StatementError {
    fn from(error: &TxError) -> Self {
        match error {
            TxError::Wire(error) => error.into(),
            TxError::Busy(busy) => Self { retryable: true, ..Self::new(Self::BUSY, busy.to_string()) },
            TxError::Failed => Self::aborted(),
            TxError::NotMade => Self {
                retryable: true,
                ..Self::new(
                    "unavailable",
                    "the connection to the database broke before the commit; nothing of this transaction was kept, so it can be tried again",
                )
            },
            TxError::Unknown => Self::new(
                Self::UNKNOWN,
                "the connection to the database broke at the commit, and nobody knows now whether the changes were kept; do not repeat the call, check first",
            ),
            TxError::Identity => {
                tracing::error!(
                    "a connection's identity changed during a call; it was closed and the call rolled back"
                );
                Self::new("refused", error.to_string())
            }
        }
    }
}

impl From<&WireError> for StatementError {
    fn from(error: &WireError) -> Self {
        let WireError::Server { code, message, .. } = error else {
            tracing::warn!(error = error.log_text(), "a tool's database connection failed");
            return Self {
                retryable: true,
                ..Self::new("unavailable", "the database cannot be reached right now; try again shortly")
            };
        };
        let (kind, retryable) = match code.as_str() {
            "42501" | "44000" => ("forbidden", false),
            "25006" => ("not_granted", false),
            "25P02" | "25P03" => ("aborted", false),
            "57014" => ("timeout", false),
            "55P03" => ("timeout", true),
            // The limits on temporary files and on a session's memory. Other shortages may end by themselves, such as that of
            // shared memory, which has the same code.
            "53400" => ("limit", false),
            OUT_OF_MEMORY if message.for_caller() != "out of shared memory" => ("limit", false),
            "40001" | "40P01" => ("unavailable", true),
            code => match code.get(..2) {
                Some("23" | "P0") => ("constraint", false),
                Some("08" | "53" | "57" | "58" | "XX") => ("unavailable", true),
                Some("54") => ("limit", false),
                _ => ("invalid", false),
            },
        };
        Self { code: kind, sqlstate: Some(code.clone()), message: message.clone(), retryable }
    }
}
