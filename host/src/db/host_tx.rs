//! The host's own statements about somebody's rows. They run as `behalf_host` with that caller's claims bound, so the
//! policies of the `ai` schema hold for the host as well: a forgotten `where` shows nothing of anybody else.

use sqlx::{PgPool, Postgres, Transaction};

use super::bind;
use crate::identity::Principal;

/// A transaction of the host's in a caller's name. Dropped, it rolls back.
pub type HostTx = Transaction<'static, Postgres>;

/// Claims of the host's own jobs: the audit log's writer, the registry.
const HOST_CLAIMS: &str = r#"BEGIN; SET LOCAL request.jwt.claims = '{"role":"service_role"}'"#;

/// Begins in the caller's name.
pub(super) async fn begin(pool: &PgPool, principal: &Principal) -> Result<HostTx, sqlx::Error> {
    begin_with(pool, format!("BEGIN; {}", bind::set_claims(principal))).await
}

/// Begins for a job of the host's that serves no single caller.
pub(super) async fn begin_as_host(pool: &PgPool) -> Result<HostTx, sqlx::Error> {
    begin_with(pool, HOST_CLAIMS.to_owned()).await
}

#[expect(clippy::disallowed_methods, reason = "the one door to a transaction on the host's login")]
async fn begin_with(pool: &PgPool, statement: String) -> Result<HostTx, sqlx::Error> {
    let pool = pool.clone();
    // A task, because a caller that goes away while the server answers would hand the connection back with the
    // transaction open: sqlx only rolls back what it knows to have begun.
    let begun = tokio::spawn(async move { pool.begin_with(sqlx::AssertSqlSafe(statement)).await });
    begun.await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
}
