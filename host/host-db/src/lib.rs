//! Transactions of the host on its own database login.
//!
//! This crate owns the host's connection pool, the statements that bind an identity to a transaction, the migrations, the names
//! and owner of the logins, the search for app code that needs what migrations revoke, the encryption of secrets, the keys that sign access tokens, and the rows of `ai.audit_events`. It knows no feature: each feature owns its tables and
//! gets transactions from [`HostDb`]. Only [`migrate`], [`migration_status`] and [`run_script`] connect as the owner of
//! the database.

mod act;
mod app_code;
mod audit_event;
mod audit_retention;
mod batches;
pub mod bind;
mod claim;
mod ended;
mod gaps;
mod logins;
mod migrate;
mod needs;
mod probe;
mod reads;
mod sealer;
mod signing_keys;
mod tx;

use std::sync::Arc;
use std::time::Duration;

use behalf_identity::Principal;
use behalf_pgwire::{Target, TargetError, TextRow};
use futures::future::BoxFuture;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::query::Query;
use sqlx::{PgPool, Postgres};
use thiserror::Error;

pub use act::Act;
pub use app_code::{AppUse, app_uses};
pub use audit_event::{AuditAction, AuditEvent};
pub use batches::{BATCH, rest_after};
pub use ended::Ended;
pub use gaps::Gap;
pub use logins::{LoginNames, PrefixError};
pub use migrate::{MigrateError, MigrateOptions, Migrated, MigrationStatus, migrate, migration_status, run_script};
pub use reads::ReadError;
pub use sealer::{SealError, Sealed, Sealer};
pub use signing_keys::{KeyRow, LoadedKeys, SIGNING_KEYS_CHANNEL, SealedKeys, SigningKeyStore, StoreKeyError};
pub use tx::{AuthTx, HostTx, StorageTx};

use probe::Probe;
use reads::Reads;

/// How long a statement waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// How many connections a host opens at most on its own login, where it has so many for transactions: half as many are for reads.
/// Those that listen come on top.
pub fn most_connections(connections: u32) -> u32 {
    let connections = connections.max(2);
    connections.saturating_add(connections / 2)
}

/// The database cannot be reached with the host's login.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// Nobody answers, or the login is refused.
    #[error("cannot reach the database as the host; check BEHALF_HOST_DATABASE_URL and that `behalf migrate` ran")]
    Unreachable(#[source] sqlx::Error),
    /// The address has another form.
    #[error("BEHALF_HOST_DATABASE_URL cannot be used")]
    Address(#[from] TargetError),
}

/// A pool of connections on the host's own login.
#[derive(Clone, Debug)]
pub struct HostDb {
    pool: PgPool,
    reads: Arc<Reads>,
    probe: Arc<Probe>,
}

impl HostDb {
    /// Connects to `address`, a `postgres://` address, with at most `connections` connections and at least two. Half as many more
    /// are opened when reads need them.
    pub fn connect(address: &str, connections: u32) -> BoxFuture<'_, Result<Self, ConnectError>> {
        Box::pin(async move {
            let target = Target::parse(address)?;
            let address: PgConnectOptions = address.parse().map_err(ConnectError::Unreachable)?;
            let connections = connections.max(2);
            let pool = PgPoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(ACQUIRE_TIMEOUT)
                .test_before_acquire(false)
                .before_acquire(|connection, used| Box::pin(tx::lives(connection, used.idle_for)))
                .connect_with(address.application_name("behalf-host").options(tx::SESSION))
                .await
                .map_err(ConnectError::Unreachable)?;
            let for_reads = most_connections(connections).saturating_sub(connections);
            let probe = Arc::new(Probe::new(target.clone()));
            Ok(Self { pool, reads: Reads::new(target, for_reads), probe })
        })
    }

    /// Begins a transaction with the caller's claims bound, so that row-level security shows only the caller's rows.
    pub fn begin<'a>(&'a self, principal: &'a Principal) -> BoxFuture<'a, Result<HostTx, sqlx::Error>> {
        Box::pin(async move { tx::begin(&self.pool, principal).await })
    }

    /// Begins a transaction for work of the host that serves no single caller, such as a background loop.
    pub fn begin_as_host(&self) -> BoxFuture<'_, Result<HostTx, sqlx::Error>> {
        Box::pin(async move { tx::begin_as_host(&self.pool).await })
    }

    /// Begins a transaction on the tables of users and their sessions, with the rights of their owner and no others.
    pub fn begin_auth(&self) -> BoxFuture<'_, Result<AuthTx, sqlx::Error>> {
        Box::pin(async move { tx::begin_auth(&self.pool).await })
    }

    /// Begins a transaction on the tables of buckets and objects, with the rights of their owner and no others. For what needs no
    /// caller: public buckets, signed addresses, limits of a bucket.
    pub fn begin_storage(&self) -> BoxFuture<'_, Result<StorageTx, sqlx::Error>> {
        Box::pin(async move { tx::begin_storage(&self.pool).await })
    }

    /// Runs one constant statement on the host's own login, in one round trip, with no role and no claims set: it reaches what this
    /// login itself may, such as a function that was granted to it. It may run twice, so it must change nothing.
    pub fn read<'a>(
        &'a self,
        text: &'static str,
        params: &'a [Option<&'a str>],
    ) -> BoxFuture<'a, Result<Vec<TextRow>, ReadError>> {
        Box::pin(self.reads.read(text, params))
    }

    /// Begins a transaction that changes what operators set up. The audit log names `act` as who does it.
    pub fn begin_act<'a>(&'a self, act: Act<'a>) -> BoxFuture<'a, Result<HostTx, sqlx::Error>> {
        Box::pin(async move { tx::begin_act(&self.pool, act).await })
    }

    /// Repeats a statement of the host's own, which changes at most [`BATCH`] rows, each time in a transaction of its own, until it
    /// changes fewer. Returns how many rows it changed in all.
    pub async fn in_batches<'q>(
        &self,
        statement: impl Fn() -> Query<'q, Postgres, PgArguments>,
    ) -> Result<u64, sqlx::Error> {
        batches::in_batches(self, statement).await
    }

    /// Deletes rows of the audit log that are older than so many days, one at least.
    pub async fn prune_audit(&self, days: u32) -> Result<(), sqlx::Error> {
        audit_retention::prune(self, days).await
    }

    /// Deletes what runs used that ended before so many days, a month at least.
    pub async fn prune_usage(&self, days: u32) -> Result<(), sqlx::Error> {
        audit_retention::prune_usage(self, days).await
    }

    /// Opens a separate connection that receives notifications. A listener keeps its connection, so it does not take one of
    /// those that work needs.
    pub fn listener(&self) -> BoxFuture<'_, Result<PgListener, sqlx::Error>> {
        Box::pin(async move {
            let options = PgConnectOptions::clone(&self.pool.connect_options());
            let own = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
            PgListener::connect_with(&own.acquire_timeout(ACQUIRE_TIMEOUT).connect_with(options).await?).await
        })
    }

    /// The same database over one separate connection, for work that must not wait until others give theirs back. It is opened at
    /// its first use and again after it was lost; what needs it meanwhile waits, for no longer than `patience`.
    #[must_use]
    pub fn with_own_connection(&self, patience: Duration) -> Self {
        let options = PgConnectOptions::clone(&self.pool.connect_options());
        let own =
            PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None).acquire_timeout(patience);
        Self { pool: own.connect_lazy_with(options), ..self.clone() }
    }

    /// Whether the database answers, and soon. It is asked on a connection of its own, so that work which takes all the others does
    /// not count.
    pub async fn answers(&self) -> bool {
        self.probe.answers().await
    }

    /// How a transaction ended whose commit got no answer, by the number that `pg_current_xact_id` gave it. It waits for the server, but
    /// not for ever.
    pub fn how_ended<'a>(&'a self, number: &'a str) -> BoxFuture<'a, Ended> {
        Box::pin(ended::how_ended(self, number))
    }

    /// How many connections are in use, and how many are free. Those that listen or only read are not counted.
    pub fn connections(&self) -> (usize, usize) {
        let (all, idle) = (self.pool.size() as usize, self.pool.num_idle());
        (all.saturating_sub(idle), idle)
    }

    /// Notifies the listeners of a channel, in a transaction of its own.
    pub async fn notify(&self, channel: &str, payload: &str) -> Result<(), sqlx::Error> {
        sqlx::query("select pg_notify($1, $2)").bind(channel).bind(payload).execute(&self.pool).await.map(|_| ())
    }

    /// Closes every connection.
    pub async fn close(&self) {
        self.reads.close();
        self.probe.close().await;
        self.pool.close().await;
    }
}
