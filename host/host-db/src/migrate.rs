//! Applies `migrations/` as the owner of the database, sets the passwords of the logins, and revokes from PUBLIC what tools must
//! not have.

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection, Row, SqlSafeStr};
use thiserror::Error;

use behalf_pgwire::{Target, TargetError};

use crate::app_code::{AppUse, app_uses, by_object};
use crate::claim::{claim, refuse_taken, release};
use crate::gaps::{Gap, gaps, has_rights};
use crate::logins::LoginNames;
use crate::needs::refuse_lacking;

pub(crate) static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations");

/// The table of applied migrations, in a schema that callers cannot reach.
const TABLE: &str = "behalf.migrations";

/// An extension, such as pgvector, may be in the schema `extensions`; whoever owns the database need not see it there.
const SEARCH_PATH: &str = r#"set search_path = "$user", public, extensions"#;

/// The migration that makes the schema `ai`.
const AI_SCHEMA: i64 = 4;

/// A statement of a released migration that fails, or says what is not so, where the object belongs to another platform; and what runs
/// in its place. The file of a migration never changes.
const ELSEWHERE: [(i64, &str, &str); 1] = [(
    2,
    "comment on function auth.uid() is 'The calling user: `sub` of the verified token; null for anonymous callers and keys.';",
    "do $do$ begin
         if exists (select from pg_proc p where p.oid = 'auth.uid()'::regprocedure and p.proowner = current_user::regrole) then
             comment on function auth.uid() is 'The calling user: `sub` of the verified token; null for anonymous callers and keys.';
         end if;
     end $do$;",
)];

/// A table of the schema `ai` that another platform made.
const FOREIGN_AI: &str = "select min(c.oid::regclass::text)
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'ai' and c.relkind in ('r', 'p', 'v', 'm', 'f')";

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
    #[error("a statement of the migration failed")]
    Statement(#[from] sqlx::Error),
    /// A script of the demo, or of a tool's author, failed.
    #[error("a statement of the script failed")]
    Script(#[source] sqlx::Error),
    /// The owner lacks rights, and nothing was changed.
    #[error(
        "the role {role} lacks what it takes to migrate {database}, and nothing was changed. Let a superuser run this once, connected          to {database}, and run behalf migrate again:{statements}"
    )]
    Lacking {
        /// The owner.
        role: String,
        /// This database.
        database: String,
        /// A line for each statement.
        statements: String,
    },
    /// The server does not have pgvector.
    #[error("the database cannot have the extension vector, and nothing was changed; install pgvector on the server")]
    NoVector(#[source] sqlx::Error),
    /// The tables of the host grant nothing to its login.
    #[error(
        "the tables of the schema ai grant nothing to {0}: this is a backup that was restored before its roles were there. Restore it          again, after the roles (pg_dumpall --roles-only); docs/operations.md says how"
    )]
    RightsLost(String),
    /// The server lacks features that the host's security needs.
    #[error("Postgres {0} is too old; use 15 or newer")]
    TooOld(String),
    /// The logins belong to another database, whose hosts would lose their passwords.
    #[error(
        "the login {host} and those of its tools belong to {owner}; to migrate {database} would change their passwords. \
         Set BEHALF_LOGIN_PREFIX to a prefix of its own for every host of {database}, such as behalf_{database}, or, where \
         the logins are no longer used there, run behalf migrate --take-over-logins"
    )]
    LoginsTaken {
        /// The host's login.
        host: String,
        /// Who owns the logins.
        owner: String,
        /// This database.
        database: String,
    },
    /// Another platform keeps tables where the host has to make its own.
    #[error(
        "the schema ai has tables of another platform, such as {0}; nothing was changed. The host needs a schema ai of its own: \
         docs/from-powabase.md says how a project of Powabase is moved into a new database"
    )]
    AiTaken(String),
    /// The host's address names another login than the prefix.
    #[error(
        "BEHALF_HOST_DATABASE_URL logs in as {set}, and the host's login is {named}; use {named} there, or set BEHALF_LOGIN_PREFIX \
         to the prefix of {set}"
    )]
    HostLogin {
        /// The login in the address.
        set: String,
        /// The login that belongs to the prefix.
        named: String,
    },
    /// A statement of the host's own failed.
    #[error("cannot revoke from PUBLIC what tools must not have; run behalf migrate again")]
    Privileges(#[source] sqlx::Error),
}

/// How to migrate.
#[derive(Clone, Debug, Default)]
pub struct MigrateOptions {
    /// The logins of this database.
    pub logins: LoginNames,
    /// Take the logins from the database that they belong to.
    pub take_over_logins: bool,
    /// Leave nothing open for the app's own code.
    pub revoke_all: bool,
}

/// What a migration did.
#[derive(Clone, Debug)]
pub struct Migrated {
    /// Every migration.
    pub status: Vec<MigrationStatus>,
    /// The app's code that needs what is revoked from PUBLIC. It was left open, unless everything was to be revoked.
    pub app_uses: Vec<AppUse>,
    /// What could not be revoked from PUBLIC, because it belongs to somebody else. There the SQL gate holds alone.
    pub still_open: Vec<String>,
    /// What else was left undone, because only a superuser may.
    pub gaps: Vec<Gap>,
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

/// Applies the missing migrations, sets the logins' passwords to those in `host` and `tools`, and revokes from PUBLIC what tools
/// must not have.
pub async fn migrate(
    owner: &str,
    host: &Target,
    tools: &Target,
    options: &MigrateOptions,
) -> Result<Migrated, MigrateError> {
    let logins = &options.logins;
    if host.user() != logins.host() {
        return Err(MigrateError::HostLogin { set: host.user().to_owned(), named: logins.host() });
    }
    let mut conn = connect(owner).await?;
    refuse_old(&mut conn).await?;
    sqlx::query(SEARCH_PATH).execute(&mut conn).await?;
    // Two at once, as when several hosts of a deployment start, would change the same rows of the catalogue. Ends with the session.
    sqlx::query("select pg_advisory_lock(hashtextextended('behalf migrate', 0))").execute(&mut conn).await?;
    refuse_foreign(&mut conn).await?;
    refuse_taken(&mut conn, logins, options.take_over_logins).await?;
    refuse_lacking(&mut conn, logins).await?;
    claim(&mut conn, logins, options.take_over_logins).await?;
    sqlx::query("create schema if not exists behalf").execute(&mut conn).await?;
    let before = migrated_with(&mut conn).await?;
    // The first migration creates the logins, and may run again.
    if let Some(roles) = MIGRATIONS.iter().next() {
        run_text(&mut conn, logins.in_text(roles.sql.as_str())).await?;
    }
    if let Some(before) = before.filter(|before| before != logins) {
        sqlx::query("select behalf.move_grants($1, $2)")
            .bind(before.host())
            .bind(logins.host())
            .execute(&mut conn)
            .await?;
        release(&mut conn, &before).await?;
    }
    migrator(logins).run(&mut conn).await?;
    // Membership in a role belongs to the cluster: neither a backup nor a new prefix brings it along.
    sqlx::query("select behalf.share_auth($1)").bind(logins.host()).execute(&mut conn).await?;
    sqlx::query("select behalf.share_storage($1)").bind(logins.host()).execute(&mut conn).await?;
    sqlx::query("select behalf.share_realtime()").execute(&mut conn).await?;
    sqlx::query("select behalf.share_extensions($1)").bind(logins.host()).execute(&mut conn).await?;
    sqlx::query(
        "insert into behalf.decisions (name, value) values ('login_prefix', $1)
         on conflict (name) do update set value = excluded.value, decided_at = now() where decisions.value <> excluded.value",
    )
    .bind(logins.prefix())
    .execute(&mut conn)
    .await?;
    set_password(&mut conn, &logins.host(), host.password()).await?;
    for login in logins.tools() {
        set_password(&mut conn, &login, tools.password()).await?;
    }
    let (app_uses, still_open) = close_to_public(&mut conn, options).await.map_err(MigrateError::Privileges)?;
    if !has_rights(&mut conn, logins).await? {
        return Err(MigrateError::RightsLost(logins.host()));
    }
    let (status, gaps) = (read_status(&mut conn).await?, gaps(&mut conn, logins).await?);
    conn.close().await?;
    Ok(Migrated { status, app_uses, still_open, gaps })
}

async fn refuse_old(conn: &mut PgConnection) -> Result<(), MigrateError> {
    let row = sqlx::query("select current_setting('server_version_num')::integer, current_setting('server_version')")
        .fetch_one(conn)
        .await?;
    if row.try_get::<i32, _>(0)? < 150_000 { Err(MigrateError::TooOld(row.try_get(1)?)) } else { Ok(()) }
}

/// A schema `ai` that is not the host's stays as it is: half of the migrations would be applied otherwise, until one meets a table.
async fn refuse_foreign(conn: &mut PgConnection) -> Result<(), MigrateError> {
    if read_status(conn).await?.iter().any(|one| one.version == AI_SCHEMA && one.applied) {
        return Ok(());
    }
    let table: Option<String> = sqlx::query(FOREIGN_AI).fetch_one(conn).await?.try_get(0)?;
    table.map_or(Ok(()), |table| Err(MigrateError::AiTaken(table)))
}

/// The logins that the database was migrated with. In a restored backup these may be another database's.
async fn migrated_with(conn: &mut PgConnection) -> Result<Option<LoginNames>, MigrateError> {
    let there: bool =
        sqlx::query("select to_regclass('behalf.decisions') is not null").fetch_one(&mut *conn).await?.try_get(0)?;
    if !there {
        return Ok(None);
    }
    let row =
        sqlx::query("select value from behalf.decisions where name = 'login_prefix'").fetch_optional(conn).await?;
    let prefix = row.map(|row| row.try_get::<String, _>(0)).transpose()?;
    Ok(prefix.and_then(|prefix| LoginNames::new(&prefix).ok()))
}

/// Revokes from PUBLIC what tools must not have, and lets the API roles keep what the app's own code needs. Returns these uses,
/// and what could not be revoked.
async fn close_to_public(
    conn: &mut PgConnection,
    options: &MigrateOptions,
) -> Result<(Vec<AppUse>, Vec<String>), sqlx::Error> {
    // Either all of it holds or nothing: in between, the app's code would fail.
    let mut tx = conn.begin().await?;
    sqlx::query("set local search_path = pg_catalog").execute(&mut *tx).await?;
    let still_open = sqlx::query_scalar("select behalf.close_to_public($1, $2)")
        .bind(options.logins.host())
        .bind(options.logins.tools().as_slice())
        .fetch_all(&mut *tx)
        .await?;
    let uses = app_uses(&mut tx).await?;
    let wanted: &[AppUse] = if options.revoke_all { &[] } else { uses.as_slice() };
    let wanted = serde_json::to_value(by_object(wanted)).unwrap_or_default();
    sqlx::query("select behalf.leave_open($1)").bind(wanted).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok((uses, still_open))
}

/// Lists all migrations, and whether the database has each.
pub async fn migration_status(owner: &str) -> Result<Vec<MigrationStatus>, MigrateError> {
    let mut conn = connect(owner).await?;
    read_status(&mut conn).await
}

/// The migrations, with the names of these logins in them. Their checksums stay those of the files.
fn migrator(logins: &LoginNames) -> sqlx::migrate::Migrator {
    let named = MIGRATIONS.iter().cloned().map(|mut one| {
        let text = ELSEWHERE
            .iter()
            .filter(|(version, ..)| *version == one.version)
            .fold(one.sql.as_str().to_owned(), |text, (_, statement, other)| text.replace(statement, other));
        one.sql = sqlx::AssertSqlSafe(logins.in_text(&text)).into_sql_str();
        one
    });
    let mut migrator = sqlx::migrate::Migrator::with_migrations(named.collect());
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
    run_text(conn, statement).await
}

/// Runs text that was made here: of migrations and of names that the server quoted.
pub(crate) async fn run_text(conn: &mut PgConnection, text: String) -> Result<(), MigrateError> {
    sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(conn).await?;
    Ok(())
}

/// Runs a script as the owner: that of the demo, or one that a tool's author wrote for a temporary database.
pub async fn run_script(owner: &str, script: &str) -> Result<(), MigrateError> {
    let mut conn = connect(owner).await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(script)).execute(&mut conn).await.map_err(MigrateError::Script)?;
    conn.close().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_elsewhere_stands_in_its_migration() {
        for (version, statement, _) in ELSEWHERE {
            let migration = MIGRATIONS.iter().find(|one| one.version == version).expect("a migration");
            assert_eq!(migration.sql.as_str().matches(statement).count(), 1, "{statement}");
        }
    }
}
