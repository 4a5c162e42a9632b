//! Attacks over a database connection, without the host.

use behalf_tests::database::run;
use futures::{StreamExt, TryStreamExt};
use serde_json::json;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Row, ValueRef};
use uuid::Uuid;

/// How SQL is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// One statement, as the host sends it.
    Extended,
    /// Any number of statements in one text.
    Simple,
}

/// What an attacker with a connection sees.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Every value, and every text of an error.
    pub(super) bytes: Vec<u8>,
    /// SQLSTATE of the statement that failed.
    pub(super) sqlstate: Option<String>,
}

/// Begins a transaction as the host does.
pub(super) async fn begin_as(conn: &mut PgConnection, user: Uuid) {
    let claims = json!({ "sub": user, "role": "authenticated" });
    run(conn, &format!("begin; set local role authenticated; set local request.jwt.claims = '{claims}'")).await;
}

/// Sends statements one after the other, up to the first that fails.
pub(super) async fn send(conn: &mut PgConnection, steps: &[String], protocol: Protocol) -> Seen {
    let mut seen = Seen::default();
    for step in steps {
        if let Err(error) = send_one(conn, step, protocol, &mut seen.bytes).await {
            let error = error.into_database_error().unwrap_or_else(|| panic!("the connection broke: {step}"));
            seen.bytes.extend(format!("{error:?}").into_bytes());
            seen.sqlstate = Some(error.code().unwrap().into_owned());
            break;
        }
    }
    seen
}

async fn send_one(
    conn: &mut PgConnection,
    sql: &str,
    protocol: Protocol,
    bytes: &mut Vec<u8>,
) -> Result<(), sqlx::Error> {
    if sql.starts_with("copy") && sql.ends_with("to stdout") {
        let mut parts = conn.copy_out_raw(sql).await?;
        while let Some(part) = parts.try_next().await? {
            bytes.extend_from_slice(&part);
        }
        return Ok(());
    }
    let safe = AssertSqlSafe(sql.to_owned());
    let mut rows = match protocol {
        Protocol::Extended => sqlx::query(safe).fetch(conn),
        Protocol::Simple => sqlx::raw_sql(safe).fetch(conn),
    };
    while let Some(row) = rows.next().await {
        keep(&row?, bytes);
    }
    Ok(())
}

fn keep(row: &PgRow, bytes: &mut Vec<u8>) {
    for index in 0..row.len() {
        let value = row.try_get_raw(index).unwrap();
        if !value.is_null() {
            bytes.extend_from_slice(value.as_bytes().unwrap());
            bytes.push(b'\n');
        }
    }
}
