//! Table `ai.tool_call_texts`: what tools, their servers and callers wrote during a call. Such texts may hold rows and
//! secrets, so they stand neither in the log nor in the audit log. The service role reads them, for some days.

use behalf_host_db::{BATCH, HostDb, HostTx};
use behalf_problem::Private;
use serde_json::{Value, json};
use sqlx::Arguments as _;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgBindIterExt as _};
use uuid::Uuid;

use super::failed_statement::FailedStatement;

/// Characters of one text, and texts of one call. A guest's own lines have bounds of their own.
const MAX_CHARS: usize = 4_000;
const MAX_TEXTS: usize = 250;
/// Failed statements of one call. Refused ones do not count against the limit of statements.
const MAX_STATEMENTS: usize = 20;

/// Bytes of texts after which a statement takes no more rows: far below the gigabyte that Postgres reads as one
/// message.
const STATEMENT_BYTES: usize = 8 * 1024 * 1024;

/// The texts of one call.
#[derive(Clone, Debug, Default)]
pub struct CallTexts {
    failure: Option<Private>,
    faults: Vec<(String, Private)>,
    log: Vec<(&'static str, Private)>,
    statements: Vec<FailedStatement>,
}

impl CallTexts {
    /// Keeps the message of the tool, of its server or of the database.
    pub fn keep_failure(&mut self, message: Private) {
        self.failure = Some(message);
    }

    /// Keeps why an argument does not fit, which quotes it.
    pub fn keep_fault(&mut self, pointer: &str, message: Private) {
        if self.faults.len() < MAX_TEXTS {
            self.faults.push((pointer.to_owned(), message));
        }
    }

    /// Keeps a line that the guest logged.
    pub fn keep_line(&mut self, level: &'static str, message: Private) {
        if self.log.len() < MAX_TEXTS {
            self.log.push((level, message));
        }
    }

    /// Keeps a statement that failed.
    pub fn keep_statement(&mut self, statement: FailedStatement) {
        if self.statements.len() < MAX_STATEMENTS {
            self.statements.push(statement);
        }
    }

    /// The message of the tool, of its server or of the database.
    pub fn failure(&self) -> Option<&Private> {
        self.failure.as_ref()
    }

    /// Why arguments do not fit, with the place of each.
    pub fn faults(&self) -> impl Iterator<Item = (&str, &Private)> {
        self.faults.iter().map(|(pointer, message)| (pointer.as_str(), message))
    }

    /// The lines of the guest's log, with the level of each.
    pub fn lines(&self) -> impl Iterator<Item = (&'static str, &Private)> {
        self.log.iter().map(|(level, message)| (*level, message))
    }

    /// The statements that failed, in their order.
    pub fn failed_statements(&self) -> &[FailedStatement] {
        &self.statements
    }

    /// The row of these texts, where there are any.
    pub(crate) fn row(&self, call_id: Uuid) -> Option<TextsRow> {
        if self.failure.is_none() && self.faults.is_empty() && self.log.is_empty() && self.statements.is_empty() {
            return None;
        }
        let faults =
            self.faults.iter().map(|(pointer, text)| json!({ "pointer": storable(pointer), "message": kept(text) }));
        let log = self.log.iter().map(|(level, text)| json!({ "level": level, "message": kept(text) }));
        Some(TextsRow {
            call_id,
            failure: self.failure.as_ref().map(kept),
            faults: Value::Array(faults.collect()).to_string(),
            log: Value::Array(log.collect()).to_string(),
            statements: Value::Array(self.statements.iter().map(statement_json).collect()).to_string(),
        })
    }
}

fn statement_json(failed: &FailedStatement) -> Value {
    let place = failed.line_and_column();
    json!({
        "statement": kept(&failed.text),
        "code": failed.code,
        "sqlstate": failed.sqlstate,
        "message": kept(&failed.message),
        "hint": failed.hint.as_ref().map(kept),
        "line": place.map(|(line, _)| line),
        "column": place.map(|(_, column)| column),
        "fix": failed.fix,
    })
}

/// A row of the table.
#[derive(Debug)]
pub(crate) struct TextsRow {
    call_id: Uuid,
    failure: Option<String>,
    /// JSON, as the next field.
    faults: String,
    log: String,
    statements: String,
}

impl TextsRow {
    fn bytes(&self) -> usize {
        self.failure.as_ref().map_or(0, String::len) + self.faults.len() + self.log.len() + self.statements.len()
    }
}

fn kept(text: &Private) -> String {
    storable(text.for_record())
}

/// The beginning of a text, without the character that Postgres cannot store.
fn storable(text: &str) -> String {
    text.chars().filter(|c| *c != '\0').take(MAX_CHARS).collect()
}

/// The parameters of the statements that store the rows of calls.
pub(crate) fn encode(rows: impl Iterator<Item = TextsRow>) -> Result<Vec<PgArguments>, BoxDynError> {
    let (mut statements, mut of_one, mut bytes) = (Vec::new(), Vec::new(), 0);
    for row in rows {
        bytes += row.bytes();
        of_one.push(row);
        if bytes >= STATEMENT_BYTES {
            statements.push(parameters(&of_one)?);
            of_one.clear();
            bytes = 0;
        }
    }
    if !of_one.is_empty() {
        statements.push(parameters(&of_one)?);
    }
    Ok(statements)
}

fn parameters(rows: &[TextsRow]) -> Result<PgArguments, BoxDynError> {
    let mut to = PgArguments::default();
    to.add(rows.iter().map(|row| row.call_id).bind_iter())?;
    to.add(rows.iter().map(|row| row.failure.as_deref()).bind_iter())?;
    to.add(rows.iter().map(|row| row.faults.as_str()).bind_iter())?;
    to.add(rows.iter().map(|row| row.log.as_str()).bind_iter())?;
    to.add(rows.iter().map(|row| row.statements.as_str()).bind_iter())?;
    Ok(to)
}

/// Stores the rows of calls, in the transaction that stores their audit rows.
pub(crate) async fn store(tx: &mut HostTx, statements: Vec<PgArguments>) -> Result<(), sqlx::Error> {
    for parameters in statements {
        sqlx::query_with(
            "insert into ai.tool_call_texts (call_id, failure, faults, log, failed_statements)
             select call_id, failure, faults::jsonb, log::jsonb, failed::jsonb
             from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[])
                 as given (call_id, failure, faults, log, failed)
             on conflict (call_id) do update set failure = excluded.failure, faults = excluded.faults,
                 log = excluded.log, failed_statements = excluded.failed_statements",
            parameters,
        )
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

/// Postgres has no earlier moments than some thousand years before now.
const MAX_DAYS: u32 = 365_000;

/// Deletes texts that are older than so many days.
pub(crate) async fn prune(db: &HostDb, days: u32) -> Result<(), sqlx::Error> {
    let days = i32::try_from(days.min(MAX_DAYS)).unwrap_or(i32::MAX);
    let prune = "delete from ai.tool_call_texts where call_id in (
        select call_id from ai.tool_call_texts where kept_at < now() - make_interval(days => $1)
        order by kept_at limit $2 for update skip locked)";
    db.in_batches(|| sqlx::query(prune).bind(days).bind(BATCH)).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_without_texts_has_no_row_and_others_fit_a_column() {
        let mut texts = CallTexts::default();
        assert!(texts.row(Uuid::nil()).is_none());
        texts.keep_failure("a\0b".into());
        texts.keep_fault("/a", "x".repeat(MAX_CHARS + 1).into());
        (0..1_000).for_each(|_| texts.keep_line("info", "line".into()));
        let row = texts.row(Uuid::nil()).expect("there are texts");
        let json = |text: &str| serde_json::from_str::<Value>(text).expect("it is JSON");
        assert_eq!((row.failure.as_deref(), json(&row.log).as_array().map(Vec::len)), (Some("ab"), Some(MAX_TEXTS)));
        assert_eq!(json(&row.faults)[0]["message"].as_str().map(str::len), Some(MAX_CHARS));
    }

    #[test]
    fn many_texts_go_in_several_statements() {
        let row = || {
            let mut texts = CallTexts::default();
            (0..MAX_TEXTS).for_each(|_| texts.keep_line("info", "x".repeat(MAX_CHARS).into()));
            texts.row(Uuid::nil())
        };
        let statements = |rows| encode(std::iter::repeat_with(row).take(rows).flatten()).expect("they fit").len();
        assert_eq!((statements(0), statements(1), statements(8), statements(12)), (0, 1, 1, 2));
    }
}
