//! Begins the host's transactions. They run as `behalf_host` with a caller's claims bound, so the policies of the `ai`
//! schema hold for the host as well: a query without its `where` still shows no rows of other users.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use sqlx::{Connection as _, PgConnection, PgPool, Postgres, Transaction};

use behalf_identity::Principal;

use crate::act::Act;
use crate::audit_event::AuditEvent;

/// A transaction of the host in a caller's name. If it is dropped, it rolls back.
pub type HostTx = Transaction<'static, Postgres>;

/// How long after its last use a connection counts as alive. The pool asks each one when it comes back.
const TRUSTED: Duration = Duration::from_secs(1);

/// Options of every session. A host that stands still in the middle of a transaction, such as a machine that was paused, must not keep
/// rows from the other hosts: the server ends its connection. No transaction waits so long for its host, however busy that one is.
/// An extension, such as pgvector, may be in the schema `extensions`.
pub(crate) const SESSION: [(&str, &str); 2] =
    [("idle_in_transaction_session_timeout", "15s"), ("search_path", "public,extensions")];

/// Who the host is in its own work, such as writing the audit log: `act` is how the audit log names it.
const HOST_CLAIMS: &str = r#"SET LOCAL request.jwt.claims = '{"role":"service_role","act":{"sub":"host"}}'"#;

/// Begins a transaction about users and their sessions. The app's triggers on these tables run in it with this role's rights,
/// which end at the schema `auth`.
const AUTH_ROLE: &str = r#"SET LOCAL ROLE supabase_auth_admin; SET LOCAL search_path = auth; SET LOCAL lock_timeout = '5s'; SET LOCAL statement_timeout = '30s'; SET LOCAL request.jwt.claims = '{"role":"supabase_auth_admin"}'"#;

/// Begins a transaction about buckets and objects. Deleting their rows is allowed: the bytes are deleted with them.
const STORAGE_ROLE: &str = r#"SET LOCAL ROLE supabase_storage_admin; SET LOCAL search_path = storage; SET LOCAL storage.allow_delete_query = 'true'; SET LOCAL lock_timeout = '5s'; SET LOCAL statement_timeout = '30s'; SET LOCAL request.jwt.claims = '{"role":"supabase_storage_admin"}'"#;

/// A transaction on the tables of buckets and objects, as their owner. If it is dropped, it rolls back.
#[derive(Debug)]
pub struct StorageTx(HostTx);

impl StorageTx {
    /// Commits it.
    pub async fn commit(self) -> Result<(), sqlx::Error> {
        self.0.commit().await
    }
}

impl Deref for StorageTx {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.0
    }
}

impl DerefMut for StorageTx {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.0
    }
}

/// A transaction on the tables of users and sessions, as their owner. If it is dropped, it rolls back.
#[derive(Debug)]
pub struct AuthTx(HostTx);

impl AuthTx {
    /// Commits it.
    pub async fn commit(self) -> Result<(), sqlx::Error> {
        self.0.commit().await
    }

    /// Commits it together with its row of the audit log. `by` is the caller; `None` is the host itself.
    pub async fn commit_with(mut self, event: &AuditEvent<'_>, by: Option<&Principal>) -> Result<(), sqlx::Error> {
        // What an app deferred to the end runs before, with the rights of the tables' owner: it must not meet the host's.
        let claims = by.map_or_else(|| HOST_CLAIMS.to_owned(), crate::bind::set_claims);
        let statement = format!("SET CONSTRAINTS ALL IMMEDIATE; SET LOCAL ROLE NONE; {claims}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut *self.0).await?;
        event.insert_by(&mut self.0, by.map_or_else(|| "host".to_owned(), Principal::actor)).await?;
        self.0.commit().await
    }
}

impl Deref for AuthTx {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.0
    }
}

impl DerefMut for AuthTx {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.0
    }
}

/// Begins a transaction on the tables of users and sessions.
pub(crate) async fn begin_auth(pool: &PgPool) -> Result<AuthTx, sqlx::Error> {
    // In a message of its own: it fails where the host is no member of the role, and then the transaction has to be rolled back.
    let mut tx = begin_with(pool, "BEGIN".to_owned()).await?;
    sqlx::raw_sql(AUTH_ROLE).execute(&mut *tx).await?;
    Ok(AuthTx(tx))
}

/// Begins a transaction on the tables of buckets and objects, as their owner, for whom no policy counts.
pub(crate) async fn begin_storage(pool: &PgPool) -> Result<StorageTx, sqlx::Error> {
    let mut tx = begin_with(pool, "BEGIN".to_owned()).await?;
    sqlx::raw_sql(STORAGE_ROLE).execute(&mut *tx).await?;
    Ok(StorageTx(tx))
}

/// Begins a transaction in the caller's name.
pub(crate) async fn begin(pool: &PgPool, principal: &Principal) -> Result<HostTx, sqlx::Error> {
    begin_with(pool, format!("BEGIN; {}", crate::bind::set_claims(principal))).await
}

/// Begins a transaction that changes what operators set up.
pub(crate) async fn begin_act(pool: &PgPool, act: Act<'_>) -> Result<HostTx, sqlx::Error> {
    let Act::Request { principal, request_id } = act else { return begin_as_host(pool).await };
    let (claims, request) = (crate::bind::set_claims(principal), crate::bind::set_request(request_id));
    begin_with(pool, format!("BEGIN; {claims}; {request}")).await
}

/// Begins a transaction that serves no single caller.
pub(crate) async fn begin_as_host(pool: &PgPool) -> Result<HostTx, sqlx::Error> {
    begin_with(pool, format!("BEGIN; {HOST_CLAIMS}")).await
}

#[expect(clippy::disallowed_methods, reason = "the only place that begins a transaction on the host's login")]
async fn begin_with(pool: &PgPool, statement: String) -> Result<HostTx, sqlx::Error> {
    let pool = pool.clone();
    // A task is not cancelled with its caller. Without it, a caller that goes away while the server answers would
    // return the connection to the pool with an open transaction: sqlx rolls back only what it knows to have begun.
    let begun = tokio::spawn(async move {
        match pool.begin_with(sqlx::AssertSqlSafe(statement.clone())).await {
            // The connection ended since its last use. Nothing was done on it, and the pool has dropped it.
            Err(error) if is_lost(&error) => pool.begin_with(sqlx::AssertSqlSafe(statement)).await,
            begun => begun,
        }
    });
    begun.await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
}

/// Asks a connection whether it lives, unless it was used a moment ago: the question costs a round trip.
pub(crate) async fn lives(connection: &mut PgConnection, idle: Duration) -> Result<bool, sqlx::Error> {
    if idle > TRUSTED {
        connection.ping().await?;
    }
    Ok(true)
}

/// Whether the server or the network ended the connection.
fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        // admin_shutdown, crash_shutdown, idle_session_timeout (https://www.postgresql.org/docs/16/errcodes-appendix.html)
        sqlx::Error::Database(error) => matches!(error.code().as_deref(), Some("57P01" | "57P02" | "57P05")),
        _ => false,
    }
}
