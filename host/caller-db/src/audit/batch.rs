//! Stores rows of the audit log, many with one statement.

use std::borrow::Cow;

use behalf_host_db::HostTx;
use sqlx::Arguments as _;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgBindIterExt as _};

use super::record::{Blame, CallRecord, StatementRecord};
use crate::array::array_literal;
use crate::call_texts;

/// A row that is there already is the announced row of a write, or one whose commit had no answer. Either becomes the
/// row that is stored now, so an attempt can be repeated. A batch holds a call once.
const STORE: &str = "
    insert into ai.tool_calls (call_id, actor, user_id, role, tool, plugin, plugin_digest, agent_id, session_id,
        run_id, step, model_call_id, request_id, arguments_sha256, statements, transaction_ids, egress, started_at,
        duration_us, guest_us, memory_bytes, outcome, blame, detail)
    select call_id, actor, user_id, role, tool, plugin, plugin_digest, agent_id, session_id,
        run_id, step, model_call_id, request_id, arguments_sha256, statements::jsonb, transaction_ids::xid8[],
        egress::jsonb, started_at, duration_us, guest_us, memory_bytes, outcome, blame, detail
    from unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::bytea[], $8::uuid[],
            $9::text[], $10::text[], $11::integer[], $12::text[], $13::text[], $14::bytea[], $15::text[], $16::text[],
            $17::text[], $18::timestamptz[], $19::bigint[], $20::bigint[], $21::bigint[], $22::text[], $23::text[],
            $24::text[])
        as given (call_id, actor, user_id, role, tool, plugin, plugin_digest, agent_id, session_id,
            run_id, step, model_call_id, request_id, arguments_sha256, statements, transaction_ids, egress, started_at,
            duration_us, guest_us, memory_bytes, outcome, blame, detail)
    on conflict (call_id) do update set
        statements = excluded.statements, transaction_ids = excluded.transaction_ids, egress = excluded.egress,
        duration_us = excluded.duration_us, guest_us = excluded.guest_us, memory_bytes = excluded.memory_bytes,
        outcome = excluded.outcome, blame = excluded.blame, detail = excluded.detail";

/// The parameters of [`STORE`].
const PARAMETERS: usize = 24;

/// Bytes of a row with one statement, as it is sent: room for the rows of most batches.
const ROW_BYTES: usize = 512;

/// Rows as the server gets them.
pub(super) struct RowBatch {
    rows: PgArguments,
    texts: Vec<PgArguments>,
}

impl RowBatch {
    /// Encodes the rows. The time grows with their number, so many rows are not for a thread that serves requests. An
    /// error is about the rows.
    pub(super) fn encode(rows: &[&CallRecord]) -> Result<Self, sqlx::Error> {
        let texts = rows.iter().filter_map(|row| row.texts.row(row.call_id));
        let encoded = encode_rows(rows).and_then(|rows| Ok(Self { rows, texts: call_texts::encode(texts)? }));
        encoded.map_err(sqlx::Error::Encode)
    }

    /// Stores the rows and their texts.
    pub(super) async fn store(self, tx: &mut HostTx) -> Result<(), sqlx::Error> {
        sqlx::query_with(STORE, self.rows).execute(&mut **tx).await?;
        call_texts::store(tx, self.texts).await
    }
}

/// One array for each column.
fn encode_rows(rows: &[&CallRecord]) -> Result<PgArguments, BoxDynError> {
    let statements: Vec<_> = rows.iter().map(|row| statements_json(&row.statements)).collect::<Result<_, _>>()?;
    let transactions: Vec<_> = rows.iter().map(|row| transactions_literal(&row.transaction_ids)).collect();
    let mut to = PgArguments::default();
    to.reserve(PARAMETERS, rows.len() * ROW_BYTES);
    to.add(rows.iter().map(|row| row.call_id).bind_iter())?;
    to.add(rows.iter().map(|row| row.actor.as_str()).bind_iter())?;
    to.add(rows.iter().map(|row| row.user_id).bind_iter())?;
    to.add(rows.iter().map(|row| row.role).bind_iter())?;
    to.add(rows.iter().map(|row| &*row.tool).bind_iter())?;
    to.add(rows.iter().map(|row| row.plugin.as_deref()).bind_iter())?;
    to.add(rows.iter().map(|row| row.plugin_digest.as_ref().map(|digest| &digest[..])).bind_iter())?;
    to.add(rows.iter().map(|row| row.agent_id).bind_iter())?;
    to.add(rows.iter().map(|row| row.session_id.as_deref()).bind_iter())?;
    to.add(rows.iter().map(|row| row.run_id.as_deref()).bind_iter())?;
    to.add(rows.iter().map(|row| row.step).bind_iter())?;
    to.add(rows.iter().map(|row| row.model_call_id.as_deref()).bind_iter())?;
    to.add(rows.iter().map(|row| row.request_id.as_deref()).bind_iter())?;
    to.add(rows.iter().map(|row| &row.arguments_sha256[..]).bind_iter())?;
    to.add(statements.iter().map(|json| &**json).bind_iter())?;
    to.add(transactions.iter().map(|literal| &**literal).bind_iter())?;
    to.add(rows.iter().map(|row| row.egress.as_deref().unwrap_or("[]")).bind_iter())?;
    to.add(rows.iter().map(|row| row.started_at).bind_iter())?;
    to.add(rows.iter().map(|row| row.duration_us).bind_iter())?;
    to.add(rows.iter().map(|row| row.guest_us).bind_iter())?;
    to.add(rows.iter().map(|row| row.memory_bytes).bind_iter())?;
    to.add(rows.iter().map(|row| row.outcome).bind_iter())?;
    to.add(rows.iter().map(|row| row.blame.map(Blame::as_str)).bind_iter())?;
    to.add(rows.iter().map(|row| row.detail.as_deref()).bind_iter())?;
    Ok(to)
}

fn statements_json(statements: &[StatementRecord]) -> Result<Cow<'static, str>, serde_json::Error> {
    if statements.is_empty() {
        return Ok(Cow::Borrowed("[]"));
    }
    serde_json::to_string(statements).map(Cow::Owned)
}

/// As a literal, because unnest would make one list of arrays of arrays.
fn transactions_literal(ids: &[String]) -> Cow<'static, str> {
    if ids.is_empty() { Cow::Borrowed("{}") } else { Cow::Owned(array_literal(ids)) }
}
