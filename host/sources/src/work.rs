//! The jobs of sources: one fetches a file, one reads it.
//!
//! A source names its job (`ai.sources.job_id`). A job writes only where the source still names it and is `pending` or `extracting`:
//! who cancels a source, or has it read anew, changes one of the two, and the job that was under way stores nothing any more.

use std::time::Duration;

use behalf_host_db::HostTx;
use behalf_identity::Principal;
use behalf_queue::{AddError, JobId, NewJob};
use serde_json::json;
use uuid::Uuid;

use crate::state::Sources;

/// The places of jobs that read documents.
pub const DOCUMENTS_LANE: &str = "documents";
/// The places of jobs that fetch documents: they wait for other servers, and take no place of those that read.
pub const IMPORTS_LANE: &str = "imports";
/// The job that reads a document.
pub(crate) const EXTRACT: &str = "sources.extract";
/// The job that fetches a document.
pub(crate) const FETCH: &str = "sources.fetch";

/// A document that makes its reader fail is tried no more often; most tries end because a host stopped.
const EXTRACT_ATTEMPTS: u32 = 3;
/// A server that is away may be back in a minute.
const FETCH_ATTEMPTS: u32 = 4;

/// Adds the job that reads a source's file, in the transaction that changes its row.
pub(crate) async fn add_extract(
    sources: &Sources,
    tx: &mut HostTx,
    principal: &Principal,
    source: Uuid,
) -> Result<JobId, AddError> {
    add(sources, tx, principal, (DOCUMENTS_LANE, EXTRACT, EXTRACT_ATTEMPTS), source).await
}

/// Adds the job that fetches a source's file. Its address is in the row, so that the job tells nobody of it who may not see the row.
pub(crate) async fn add_fetch(
    sources: &Sources,
    tx: &mut HostTx,
    principal: &Principal,
    source: Uuid,
) -> Result<JobId, AddError> {
    add(sources, tx, principal, (IMPORTS_LANE, FETCH, FETCH_ATTEMPTS), source).await
}

async fn add(
    sources: &Sources,
    tx: &mut HostTx,
    principal: &Principal,
    (lane, kind, max_attempts): (&'static str, &'static str, u32),
    source: Uuid,
) -> Result<JobId, AddError> {
    let payload = json!({ "source_id": source });
    let job = NewJob { lane, kind, unique_key: None, payload, max_attempts, delay: Duration::ZERO };
    Ok(sources.queue.add(tx, principal, &job).await?.id())
}
