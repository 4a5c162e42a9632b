//! A row of the audit log.

use std::sync::Arc;

use behalf_identity::Principal;
use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::{NoContext, Timestamp, Uuid};

use crate::call_texts::CallTexts;
use crate::commit_guard::CommitGuard;

/// The party that caused the failure of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The tool.
    Guest,
    /// The caller.
    Caller,
    /// This host or its database.
    Host,
}

impl Blame {
    /// The word in the table.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::Caller => "caller",
            Self::Host => "host",
        }
    }
}

/// One statement of a call. Its values are never stored.
#[derive(Clone, Debug, Serialize)]
pub struct StatementRecord {
    /// The fingerprint of the statement's shape; `None` where it could not be parsed.
    pub fingerprint: Option<String>,
    /// `allowed`, or the rule of the gate that refused it.
    pub verdict: &'static str,
    /// Rows returned or changed.
    pub rows: u64,
    /// SQLSTATE of the server's error, if it failed there.
    pub sqlstate: Option<String>,
}

/// A row of the audit log. The default is no call's row: it is what remains where a row was taken to be written.
#[derive(Clone, Debug, Default)]
pub struct CallRecord {
    /// The call's id, a `UUIDv7` of the moment when the call began.
    pub call_id: Uuid,
    /// The name of the actor who made the request.
    pub actor: String,
    /// The user in whose name the call is made, if any.
    pub user_id: Option<Uuid>,
    /// The database role.
    pub role: &'static str,
    /// The tool's name.
    pub tool: Arc<str>,
    /// The plugin's name.
    pub plugin: Option<String>,
    /// SHA-256 of the plugin's component.
    pub plugin_digest: Option<[u8; 32]>,
    /// The agent that makes the call, if one does.
    pub agent_id: Option<Uuid>,
    /// The agent's session.
    pub session_id: Option<String>,
    /// The run in that session.
    pub run_id: Option<String>,
    /// The step of that run.
    pub step: Option<i32>,
    /// The id that the model gave the call.
    pub model_call_id: Option<String>,
    /// A condition for the commit, such as that no other host has taken the run over. It is not stored.
    pub commit_guard: Option<Arc<dyn CommitGuard>>,
    /// The id of the HTTP request.
    pub request_id: Option<String>,
    /// SHA-256 of the arguments as they were sent.
    pub arguments_sha256: [u8; 32],
    /// The statements of the tool, refused ones included.
    pub statements: Vec<StatementRecord>,
    /// Ids of the transactions that wrote, as `pg_xact_status` takes them.
    pub transaction_ids: Vec<String>,
    /// Outbound requests and operations on files as a JSON array: method, host, port and outcome, or operation, bucket, bytes and
    /// outcome; never a path, a name or a body. `None` where there were none.
    pub egress: Option<String>,
    /// The start of the call.
    pub started_at: DateTime<Utc>,
    /// Microseconds from the start to the end of the call.
    pub duration_us: Option<i64>,
    /// Microseconds in which the guest itself ran.
    pub guest_us: Option<i64>,
    /// The greatest memory of the guest in bytes.
    pub memory_bytes: Option<i64>,
    /// `started`, `ok`, or the name of the error.
    pub outcome: &'static str,
    /// The party that caused a failure.
    pub blame: Option<Blame>,
    /// A sentence for the operator, without row contents.
    pub detail: Option<String>,
    /// What the tool, its servers and the caller wrote, in a table of its own.
    pub texts: CallTexts,
}

impl CallRecord {
    /// The row of a call that begins now.
    pub fn begin(principal: &Principal, tool: &str, arguments_sha256: [u8; 32]) -> Self {
        let started_at = Utc::now();
        Self {
            call_id: call_id(started_at),
            actor: principal.actor(),
            user_id: principal.subject(),
            role: principal.role().as_str(),
            tool: tool.into(),
            arguments_sha256,
            started_at,
            outcome: "started",
            ..Self::default()
        }
    }
}

/// An id of this moment. The library never goes back, so after the clock was set back its ids would stay in the future, where
/// nobody looks for the call.
fn call_id(now: DateTime<Utc>) -> Uuid {
    const MAX_AHEAD: i64 = 30 * 60;
    let id = Uuid::now_v7();
    let ahead = id.get_timestamp().and_then(|at| i64::try_from(at.to_unix().0).ok()).map(|at| at - now.timestamp());
    match u64::try_from(now.timestamp()) {
        Ok(seconds) if ahead.is_none_or(|ahead| ahead > MAX_AHEAD) => {
            Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, now.timestamp_subsec_nanos()))
        }
        _ => id,
    }
}
