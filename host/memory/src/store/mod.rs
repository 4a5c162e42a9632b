//! Statements on `ai.memories`: those of a caller run as that caller, and what is kept is written in the user's name.

mod keep;
mod list;
mod recall;
mod remove;

use std::time::Duration;

use behalf_caller_db::{AppLimits, FixedAccess, FixedRequest, FixedRow};
use behalf_identity::{CallerKey, Principal};
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

/// A caller's statement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct As<'a> {
    /// The caller.
    pub(crate) principal: &'a Principal,
    /// Whose share of the connections it uses.
    pub(crate) key: CallerKey,
    /// The time that it may take.
    pub(crate) deadline: Duration,
}

impl<'a> As<'a> {
    /// The caller of a route.
    pub(crate) fn asker(asker: &'a crate::caller::Asker) -> Self {
        Self { principal: &asker.principal, key: asker.key, deadline: DEADLINE }
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
    let As { principal, key, deadline } = by;
    let limits = AppLimits { max_bytes: MAX_BYTES, deadline };
    let request = FixedRequest { principal, key, access, settings: &[], variables: &[], text, params, limits };
    Ok(memories.caller_db.run_fixed(request).await?)
}

/// Reads a row that Postgres wrote as JSON.
fn parse<T: DeserializeOwned>(text: &str) -> Result<T, MemoriesError> {
    serde_json::from_str(text).map_err(|error| MemoriesError::Database(sqlx::Error::Decode(Box::new(error))))
}
