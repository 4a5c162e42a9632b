//! Table `ai.tool_call_texts`: what tools, their servers and callers wrote during a call. Such texts may hold rows and
//! secrets, so they stand neither in the log nor in the audit log. The service role reads them, for some days.

use behalf_host_db::{HostDb, HostTx};
use behalf_problem::Private;
use serde_json::{Value, json};
use sqlx::types::Json;
use uuid::Uuid;

/// Characters of one text, and texts of one call. A guest's own lines have bounds of their own.
const MAX_CHARS: usize = 4_000;
const MAX_TEXTS: usize = 250;

/// The texts of one call.
#[derive(Clone, Debug, Default)]
pub struct CallTexts {
    failure: Option<Private>,
    faults: Vec<(String, Private)>,
    log: Vec<(&'static str, Private)>,
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

    /// The row of these texts, where there are any.
    pub(crate) fn row(&self, call_id: Uuid) -> Option<Value> {
        if self.failure.is_none() && self.faults.is_empty() && self.log.is_empty() {
            return None;
        }
        let faults =
            self.faults.iter().map(|(pointer, text)| json!({ "pointer": storable(pointer), "message": kept(text) }));
        let log = self.log.iter().map(|(level, text)| json!({ "level": level, "message": kept(text) }));
        Some(json!({
            "call_id": call_id,
            "failure": self.failure.as_ref().map(kept),
            "faults": faults.collect::<Vec<_>>(),
            "log": log.collect::<Vec<_>>(),
        }))
    }
}

fn kept(text: &Private) -> String {
    storable(text.for_record())
}

/// The beginning of a text, without the character that Postgres cannot store.
fn storable(text: &str) -> String {
    text.chars().filter(|c| *c != '\0').take(MAX_CHARS).collect()
}

/// Stores the rows of calls, in the transaction that stores their audit rows.
pub(crate) async fn insert(tx: &mut HostTx, rows: &[Value]) -> Result<(), sqlx::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into ai.tool_call_texts (call_id, failure, faults, log)
         select call_id, failure, faults, log from jsonb_populate_recordset(null::ai.tool_call_texts, $1)
         on conflict (call_id) do update set failure = excluded.failure, faults = excluded.faults, log = excluded.log",
    )
    .bind(Json(rows))
    .execute(&mut **tx)
    .await
    .map(|_| ())
}

/// Postgres has no earlier moments than some thousand years before now.
const MAX_DAYS: u32 = 365_000;

/// Deletes texts that are older than so many days.
pub(crate) async fn prune(db: &HostDb, days: u32) -> Result<(), sqlx::Error> {
    let mut tx = db.begin_as_host().await?;
    sqlx::query("delete from ai.tool_call_texts where kept_at < now() - make_interval(days => $1)")
        .bind(i32::try_from(days.min(MAX_DAYS)).unwrap_or(i32::MAX))
        .execute(&mut *tx)
        .await?;
    tx.commit().await
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
        let row = texts.row(Uuid::nil()).unwrap_or_default();
        assert_eq!((&row["failure"], row["log"].as_array().map(Vec::len)), (&json!("ab"), Some(MAX_TEXTS)));
        assert_eq!(row["faults"][0]["message"].as_str().map(str::len), Some(MAX_CHARS));
    }
}
