//! Applies `migrations/` as the owner of the database, and sets the passwords of the logins.

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection, Row};
use thiserror::Error;

use behalf_identity::Role;
use behalf_pgwire::{Target, TargetError};

use crate::bind::login_name;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations");

/// The table of applied migrations, in a schema that callers cannot reach.
const TABLE: &str = "behalf.migrations";

/// Why migrating failed.
#[derive(Debug, Error)]
pub enum MigrateError {
    /// An address is wrong.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The database cannot be reached as its owner.
    #[error("cannot reach the database as its owner; check BEHALF_DATABASE_URL")]
    Connect(#[source] sqlx::Error),
    /// A migration failed and was rolled back.
    #[error("a migration failed and was rolled back")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A statement failed.
    #[error("cannot prepare the logins; the owner needs CREATEROLE")]
    Logins(#[from] sqlx::Error),
    /// The server lacks features that the host's security needs.
    #[error("Postgres {0} is too old; use 15 or newer")]
    TooOld(String),
}

/// A migration and whether the database has it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct MigrationStatus {
    /// The migration's number.
    pub version: i64,
    /// The migration's name.
    pub name: String,
    /// Whether the database has it.
    pub applied: bool,
}

/// Applies the missing migrations, and sets the logins' passwords to those in `host` and `tools`.
pub async fn migrate(owner: &str, host: &Target, tools: &Target) -> Result<Vec<MigrationStatus>, MigrateError> {
    let mut conn = connect(owner).await?;
    let version: String =
        sqlx::query("select current_setting('server_version_num'), current_setting('server_version')")
            .fetch_one(&mut conn)
            .await
            .and_then(|row| {
                if row.try_get::<String, _>(0)?.as_str() < "150000" { row.try_get(1) } else { Ok(String::new()) }
            })?;
    if !version.is_empty() {
        return Err(MigrateError::TooOld(version));
    }
    sqlx::query("create schema if not exists behalf").execute(&mut conn).await?;
    migrator().run(&mut conn).await?;
    set_password(&mut conn, host.user(), host.password()).await?;
    for role in Role::ALL {
        set_password(&mut conn, login_name(role), tools.password()).await?;
    }
    let status = read_status(&mut conn).await?;
    conn.close().await?;
    Ok(status)
}

/// Lists all migrations, and whether the database has each.
pub async fn migration_status(owner: &str) -> Result<Vec<MigrationStatus>, MigrateError> {
    let mut conn = connect(owner).await?;
    read_status(&mut conn).await
}

fn migrator() -> sqlx::migrate::Migrator {
    let mut migrator = sqlx::migrate::Migrator::with_migrations(MIGRATIONS.iter().cloned().collect());
    migrator.dangerous_set_table_name(TABLE);
    migrator
}

async fn connect(owner: &str) -> Result<PgConnection, MigrateError> {
    let options: PgConnectOptions = owner.parse().map_err(MigrateError::Connect)?;
    options.connect().await.map_err(MigrateError::Connect)
}

async fn read_status(conn: &mut PgConnection) -> Result<Vec<MigrationStatus>, MigrateError> {
    let there: bool =
        sqlx::query("select to_regclass('behalf.migrations') is not null").fetch_one(&mut *conn).await?.try_get(0)?;
    let applied: Vec<i64> = if there {
        let rows = sqlx::query("select version from behalf.migrations where success").fetch_all(&mut *conn).await?;
        rows.iter().filter_map(|row| row.try_get(0).ok()).collect()
    } else {
        Vec::new()
    };
    Ok(MIGRATIONS
        .iter()
        .map(|one| MigrationStatus {
            version: one.version,
            name: one.description.to_string(),
            applied: applied.contains(&one.version),
        })
        .collect())
}

/// Sends the password's SCRAM verifier, never the password: statements end up in server logs. ALTER ROLE takes no
/// parameters, so the server quotes both texts first.
async fn set_password(conn: &mut PgConnection, login: &str, password: &str) -> Result<(), MigrateError> {
    if password.is_empty() {
        return Ok(());
    }
    let verifier = postgres_protocol::password::scram_sha_256(password.as_bytes());
    let statement: String = sqlx::query("select format('alter role %I login password %L', $1::text, $2::text)")
        .bind(login)
        .bind(verifier)
        .fetch_one(&mut *conn)
        .await?
        .try_get(0)?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut *conn).await?;
    Ok(())
}

/// Runs a script as the owner: that of the demo, or one that a tool's author wrote for a temporary database.
pub async fn run_script(owner: &str, script: &str) -> Result<(), MigrateError> {
    let mut conn = connect(owner).await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(script)).execute(&mut conn).await?;
    conn.close().await?;
    Ok(())
}
