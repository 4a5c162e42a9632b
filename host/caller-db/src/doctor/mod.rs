//! The checks of `behalf doctor`: they look for weaknesses of a database and say how to fix each. They read only the
//! system catalog, as the owner or as the host, and log in as each tool login.
//!
//! The policies are also tried: each table is read as users that do not exist, and whoever sees rows then sees everybody's. So is a
//! private channel that nobody made.
//!
//! An object whose comment contains `behalf: reviewed` is not reported: its owner has decided to keep it.

mod app_code;
mod channels;
mod check;
mod functions;
mod grants;
mod logins;
mod memory;
mod realtime;
mod relations;
mod rest;
mod roles;
mod server;
mod trial;

use std::time::Duration;

use futures::future::BoxFuture;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection, Row};

use behalf_host_db::{LoginNames, MigrateError, migration_status};
use behalf_pgwire::Target;
use behalf_telemetry::{Finding, Level};
use check::Check;

/// How long one check may take; a catalog of a hundred thousand tables is read in seconds.
const CHECK_TIMEOUT: Duration = Duration::from_mins(1);

/// The parts of a deployment that are checked.
#[derive(Clone, Debug)]
pub struct Scope {
    /// Schemas that callers may reach.
    pub schemas: Vec<String>,
    /// The host's login.
    pub host_login: String,
    /// The names of the logins.
    pub logins: LoginNames,
    /// Connections the host may open.
    pub connections: i32,
    /// Whether the policies are tried. It reads every table, so a host that starts does not.
    pub try_policies: bool,
}

/// Connects to `address`, as the owner or as the host, and makes every check of the catalog. Then logs in as each tool
/// login, if `tools` is given, and tries the policies.
pub fn examine<'a>(address: &'a str, tools: Option<&'a Target>, scope: &'a Scope) -> BoxFuture<'a, Vec<Finding>> {
    Box::pin(async move {
        let mut findings = Vec::new();
        let place = match connect(address).await {
            Ok(mut conn) => {
                findings.push(migrations(address).await);
                findings.extend(examine_catalog(&mut conn, scope).await);
                findings.push(memory::examine(&mut conn, &scope.logins).await);
                let place = logins::place(&mut conn).await;
                conn.close().await.ok();
                place
            }
            Err(error) => {
                let fix =
                    "check the address, and that behalf migrate ran: it makes the logins and sets their passwords";
                findings.push(Finding::error("database", format!("cannot be reached: {}", first_line(&error)), fix));
                None
            }
        };
        if let Some(tools) = tools {
            findings.extend(logins::examine(tools, &scope.logins, place.as_deref()).await);
            if scope.try_policies {
                findings.extend(trial::examine(tools, scope).await);
                findings.push(channels::examine(tools, scope).await);
            }
        }
        findings
    })
}

/// Makes every check of the catalog, each in its own transaction (or savepoint) that changes nothing.
pub fn examine_catalog<'a>(conn: &'a mut PgConnection, scope: &'a Scope) -> BoxFuture<'a, Vec<Finding>> {
    Box::pin(async move {
        let mut findings = Vec::new();
        let left_open = left_open(conn).await.unwrap_or_default();
        let checks = [
            server::CHECKS,
            roles::CHECKS,
            relations::CHECKS,
            grants::CHECKS,
            functions::CHECKS,
            rest::CHECKS,
            realtime::CHECKS,
        ];
        for check in checks.into_iter().flatten() {
            let made = tokio::time::timeout(CHECK_TIMEOUT, ask(conn, check, scope, &left_open)).await;
            match made {
                Ok(Ok(found)) if found.is_empty() => findings.push(Finding::ok(check.name, check.sound)),
                Ok(Ok(found)) => findings.extend(found),
                Ok(Err(error)) => findings.push(failed(check.name, &error)),
                Err(_) => {
                    // The answer is still outstanding, so the connection cannot be used any more.
                    findings.push(Finding::error(
                        check.name,
                        "the check took too long",
                        "look at what the server is doing",
                    ));
                    return findings;
                }
            }
        }
        findings.extend(app_code::examine(conn, &left_open).await);
        findings
    })
}

/// The tables and views that show every row to callers: errors of the checks that a running host makes again and again.
pub(crate) async fn exposed(conn: &mut PgConnection, scope: &Scope) -> Result<Vec<Finding>, sqlx::Error> {
    const WATCHED: [&str; 3] = ["row-level-security", "views", "rows-without-policies"];
    let mut findings = Vec::new();
    for check in relations::CHECKS.iter().filter(|check| WATCHED.contains(&check.name)) {
        findings.extend(ask(conn, check, scope, &[]).await?);
    }
    findings.retain(|finding| finding.level == Level::Error);
    Ok(findings)
}

/// What `behalf migrate` left open to the API roles. Without the migrations it is nothing.
async fn left_open(conn: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    let mut tx = conn.begin().await?;
    let rows = sqlx::query_scalar("select object from behalf.left_open order by 1")
        .persistent(false)
        .fetch_all(&mut *tx)
        .await;
    tx.rollback().await?;
    rows
}

/// A connection for checks, on which transactions are read-only unless they say otherwise.
pub async fn connect(address: &str) -> Result<PgConnection, sqlx::Error> {
    let options: PgConnectOptions = address.parse()?;
    options.application_name("behalf-doctor").options([("default_transaction_read_only", "on")]).connect().await
}

async fn ask(
    conn: &mut PgConnection,
    check: &Check,
    scope: &Scope,
    left_open: &[String],
) -> Result<Vec<Finding>, sqlx::Error> {
    let mut tx = conn.begin().await?;
    // So that names in the checks mean only the server's own functions and operators.
    sqlx::query("set local search_path = pg_catalog").execute(&mut *tx).await?;
    let rows = sqlx::query(check.sql)
        .persistent(false)
        .bind(&scope.schemas)
        .bind(&scope.host_login)
        .bind(scope.connections)
        .bind(scope.logins.prefix())
        .bind(left_open)
        .fetch_all(&mut *tx)
        .await?;
    tx.rollback().await?;
    rows.iter().map(|row| read(check, row)).collect()
}

fn read(check: &Check, row: &sqlx::postgres::PgRow) -> Result<Finding, sqlx::Error> {
    let (level, found, fix): (String, String, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    Ok(match level.as_str() {
        "error" => Finding::error(check.name, found, fix),
        "warning" => Finding::warning(check.name, found, fix),
        "ok" => Finding::ok(check.name, found),
        _ => Finding::skipped(check.name, found),
    })
}

fn failed(name: &'static str, error: &sqlx::Error) -> Finding {
    let state = error.as_database_error().and_then(|error| error.code().map(std::borrow::Cow::into_owned));
    match state.as_deref() {
        Some("42883" | "3F000" | "42P01") => {
            Finding::skipped(name, format!("needs the migrations: {}", first_line(error)))
        }
        Some("42501") => Finding::skipped(name, "needs the owner's address, BEHALF_DATABASE_URL"),
        _ => Finding::error(
            name,
            format!("could not be made: {}", first_line(error)),
            "run it again; if it stays, report it",
        ),
    }
}

/// Compares the applied migrations with all. The host's login may not read that list, so the check is then skipped.
async fn migrations(address: &str) -> Finding {
    const NAME: &str = "migrations";
    match migration_status(address).await {
        Ok(status) => {
            let missing: Vec<_> = status
                .iter()
                .filter(|one| !one.applied)
                .map(|one| format!("{:04} {}", one.version, one.name))
                .collect();
            if missing.is_empty() {
                Finding::ok(NAME, format!("all {} are applied", status.len()))
            } else {
                Finding::error(NAME, format!("not applied: {}", missing.join(", ")), "behalf migrate")
            }
        }
        Err(MigrateError::Statement(error))
            if error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("42501")) =>
        {
            Finding::skipped(NAME, "only the owner can see them; set BEHALF_DATABASE_URL")
        }
        Err(error) => Finding::error(NAME, format!("cannot be read: {error}"), "behalf migrate"),
    }
}

fn first_line(error: &sqlx::Error) -> String {
    let text = match error.as_database_error() {
        Some(error) => error.message().to_owned(),
        None => error.to_string(),
    };
    text.lines().next().unwrap_or_default().chars().take(300).collect()
}
