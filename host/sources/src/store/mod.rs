//! The tables `ai.sources` and `ai.source_pages`.
//!
//! What is read for a caller runs as that caller, so the app's own policies decide what they see. What is written runs in the
//! owner's name on the host's login, whose policy shows a caller only their own rows.

pub(crate) mod admit;
pub(crate) mod audit;
pub(crate) mod change;
pub(crate) mod job;
pub(crate) mod new;
pub(crate) mod pages;
pub(crate) mod read;

use crate::error::SourceError;

/// Times that a change is tried which another transaction got in the way of.
const TRIES: usize = 3;

/// The columns of `ai.sources s` that [`Source`](crate::source::Source) is read from, as one JSON object.
macro_rules! source_json {
    () => {
        "jsonb_build_object('id', s.id, 'owner_id', s.owner_id, 'name', s.name, 'file_type', s.file_type,
             'content_type', s.content_type, 'size', s.size, 'storage_path', s.storage_path,
             'extraction_status', s.extraction_status, 'derivatives', s.derivatives, 'metadata', s.metadata,
             'auto_metadata', s.auto_metadata, 'pages', s.pages, 'pages_done', s.pages_done,
             'percent', case when s.extraction_status = 'extracted' then 100
                 when s.pages > 0 then least(100, 100 * coalesce(s.pages_done, 0)::bigint / s.pages) end,
             'error_message', s.error_message, 'error_code', s.error_code, 'job_id', s.job_id,
             'extracted_at', s.extracted_at, 'created_at', s.created_at, 'updated_at', s.updated_at)::text"
    };
}
pub(crate) use source_json;

/// Does a change, and again if its transaction and another one waited for each other: a job that ends locks its own row before its
/// source's, and a request that cancels it the other way round.
async fn again<T, W>(work: impl Fn() -> W) -> Result<T, SourceError>
where
    W: Future<Output = Result<T, SourceError>>,
{
    for _ in 1..TRIES {
        match work().await {
            Err(SourceError::Database(error)) if is_deadlock(&error) => {}
            done => return done,
        }
    }
    work().await
}

fn is_deadlock(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|code| code == "40P01")
}
