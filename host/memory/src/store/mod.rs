//! Statements on `ai.memories`: those of a caller run as that caller, and what is kept is written in the user's name.

mod keep;
mod list;
mod recall;
mod remove;

use std::time::Duration;

use behalf_caller_db::{AppLimits, FixedAccess, FixedRequest, FixedRow};
use behalf_identity::{CallerKey, Principal};
use behalf_web::Asker;
use serde::de::DeserializeOwned;

pub(crate) use keep::{NewText, keep};
pub(crate) use list::{Filter, Listed, find, list};
pub(crate) use recall::{Asked, recall};
pub(crate) use remove::{Whose, remove, remove_all};

use crate::error::MemoriesError;
use crate::state::Memories;

/// Two hundred memories as long as they may be.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// The longest time for a statement of a route.
const DEADLINE: Duration = Duration::from_secs(30);

/// What the audit log calls the request by.
const REQUEST_ID: &str = "behalf.request_id";

/// A caller's statement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct As<'a> {
    /// The caller.
    pub(crate) principal: &'a Principal,
    /// Whose share of the connections it uses.
    pub(crate) key: CallerKey,
    /// The time that it may take.
    pub(crate) deadline: Duration,
    /// The request, for the audit log; empty where a tool asks.
    pub(crate) request_id: &'a str,
}

impl<'a> As<'a> {
    /// The caller of a route that reads.
    pub(crate) fn asker(asker: &'a Asker) -> Self {
        Self { principal: &asker.principal, key: asker.key, deadline: DEADLINE, request_id: "" }
    }
}

/// Runs a statement as its caller.
async fn run(
    memories: &Memories,
    by: As<'_>,
    access: FixedAccess,
    text: &'static str,
    params: &[Option<&str>],
) -> Result<Vec<FixedRow>, MemoriesError> {
    let As { principal, key, deadline, request_id } = by;
    let limits = AppLimits { max_bytes: MAX_BYTES, deadline };
    let named = [(REQUEST_ID, request_id)];
    let variables = if request_id.is_empty() { &[] } else { &named[..] };
    let request = FixedRequest { principal, key, access, settings: &[], variables, text, params, limits };
    Ok(memories.caller_db.run_fixed(request).await?)
}

/// Reads a row that Postgres wrote as JSON.
fn parse<T: DeserializeOwned>(text: &str) -> Result<T, MemoriesError> {
    serde_json::from_str(text).map_err(|error| MemoriesError::Database(sqlx::Error::Decode(Box::new(error))))
}
