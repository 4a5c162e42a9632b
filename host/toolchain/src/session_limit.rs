//! The limit on the memory of tools' sessions, on a Postgres that this program started itself.

use behalf_caller_db::SessionLimit;
use behalf_local_postgres::LocalPostgres;

/// Bounds each session of tools on this Postgres to `mebibytes`; 0 means no limit.
pub fn session_limit(local: &LocalPostgres, mebibytes: u64) -> Option<SessionLimit> {
    let bytes = mebibytes.checked_mul(1 << 20).filter(|bytes| *bytes > 0)?;
    let limiter = local.session_limiter();
    Some(SessionLimit::new(bytes, move |process_id| {
        let limiter = limiter.clone();
        Box::pin(async move { limiter.limit(process_id, bytes).await })
    }))
}
