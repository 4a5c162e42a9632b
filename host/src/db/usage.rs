//! Table `ai.usage`: what runs used, one row for a run and one for each of its tools.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value as Json;
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::prices::Tokens;
use super::{Db, HostTx};
use crate::identity::Principal;

/// What usage is summed up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageGroup {
    /// Days of UTC.
    Day,
    /// The agent.
    Agent,
    /// The model.
    Model,
    /// The tool; what runs cost beside their tools has none.
    Tool,
}

impl UsageGroup {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Agent => "agent",
            Self::Model => "model",
            Self::Tool => "tool",
        }
    }
}

/// Which usage to sum up.
#[derive(Clone, Debug, Default)]
pub struct UsageFilter {
    /// From this moment on.
    pub from: Option<DateTime<Utc>>,
    /// Before this moment.
    pub to: Option<DateTime<Utc>>,
    /// Of this agent.
    pub agent: Option<Uuid>,
    /// Of this user; only the service role sees others.
    pub user: Option<Uuid>,
    /// Summed up by this; in one sum where absent.
    pub group_by: Option<UsageGroup>,
}

/// Usage summed up.
#[derive(Clone, Debug, Serialize)]
pub struct UsageSum {
    /// The day, agent, model or tool; absent where there is none.
    pub group: Option<String>,
    /// Runs that ended.
    pub runs: i64,
    /// Calls of tools.
    pub calls: i64,
    /// Tokens read.
    pub prompt_tokens: i64,
    /// Tokens written, thinking included.
    pub completion_tokens: i64,
    /// Tokens written while thinking.
    pub reasoning_tokens: i64,
    /// Tokens read from a provider's cache.
    pub cached_tokens: i64,
    /// Milli-credits.
    pub cost: i64,
}

/// What a run used, to be written with its end.
#[derive(Clone, Debug)]
pub(super) struct RunUsage<'a> {
    pub(super) run_id: &'a str,
    pub(super) agent_id: Uuid,
    pub(super) model: &'a str,
    pub(super) tokens: Tokens,
    /// What it cost beside its tools.
    pub(super) cost: i64,
    /// Tool, calls, and what they cost.
    pub(super) tools: &'a [(String, i64, i64)],
}

/// Direct calls have a row in the audit log and, where they were charged, one in the ledger; nothing more is written of
/// them, so that counting costs a call nothing. Sums of a hostile provider's numbers may be beyond a bigint.
const SUMS: &str = "
    with used as (
        select occurred_at, user_id, agent_id, model, tool, run_id, prompt_tokens, completion_tokens, reasoning_tokens,
            cached_tokens, calls, cost
        from ai.usage
        union all
        select t.started_at, t.user_id, t.agent_id, null, t.tool, null, 0, 0, 0, 0, 1, coalesce(-l.amount, 0)
        from ai.tool_calls t left join ai.credit_ledger l on l.call_id = t.call_id
        where t.run_id is null and t.outcome = 'ok'
    ), grouped as (
        select *, case $5 when 'day' then to_char(occurred_at at time zone 'UTC', 'YYYY-MM-DD') when 'agent' then agent_id::text
            when 'model' then model when 'tool' then tool end as grp
        from used
        where ($1::timestamptz is null or occurred_at >= $1) and ($2::timestamptz is null or occurred_at < $2)
          and ($3::uuid is null or agent_id = $3) and ($4::uuid is null or user_id = $4)
    )
    select grp, count(distinct run_id) as runs,
        least(coalesce(sum(calls), 0), 9223372036854775807)::bigint as calls,
        least(coalesce(sum(prompt_tokens), 0), 9223372036854775807)::bigint as prompt_tokens,
        least(coalesce(sum(completion_tokens), 0), 9223372036854775807)::bigint as completion_tokens,
        least(coalesce(sum(reasoning_tokens), 0), 9223372036854775807)::bigint as reasoning_tokens,
        least(coalesce(sum(cached_tokens), 0), 9223372036854775807)::bigint as cached_tokens,
        least(coalesce(sum(cost), 0), 9223372036854775807)::bigint as cost
    from grouped group by grp order by grp nulls first limit 1000";

impl Db {
    /// Usage that the caller may see, summed up.
    pub async fn usage(&self, principal: &Principal, filter: &UsageFilter) -> Result<Vec<UsageSum>, sqlx::Error> {
        let mut tx = self.begin(principal).await?;
        let rows = sqlx::query(SUMS)
            .bind(filter.from)
            .bind(filter.to)
            .bind(filter.agent)
            .bind(filter.user)
            .bind(filter.group_by.map(UsageGroup::as_str))
            .fetch_all(&mut *tx)
            .await?;
        tx.commit().await?;
        rows.iter().map(read).collect()
    }
}

/// Writes what a run used, in the transaction that ends it.
pub(super) async fn insert(tx: &mut HostTx, principal: &Principal, used: &RunUsage<'_>) -> Result<(), sqlx::Error> {
    let whole = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let tools: Vec<Json> = used
        .tools
        .iter()
        .map(|(tool, calls, cost)| serde_json::json!({ "tool": tool, "calls": calls, "cost": cost }))
        .collect();
    sqlx::query(
        "insert into ai.usage (run_id, user_id, actor, agent_id, model, tool, prompt_tokens, completion_tokens,
            reasoning_tokens, cached_tokens, calls, cost)
         select $1::text, $2::uuid, $3::text, $4::uuid, $5::text, null::text, $6::bigint, $7::bigint, $8::bigint, $9::bigint, 0::bigint, $10::bigint
         union all
         select $1, $2, $3, $4, $5, tool, 0, 0, 0, 0, calls, cost
         from jsonb_to_recordset($11) as given (tool text, calls bigint, cost bigint)",
    )
    .bind(used.run_id)
    .bind(principal.subject())
    .bind(principal.actor())
    .bind(used.agent_id)
    .bind(used.model)
    .bind(whole(used.tokens.prompt))
    .bind(whole(used.tokens.completion))
    .bind(whole(used.tokens.reasoning))
    .bind(whole(used.tokens.cached))
    .bind(used.cost)
    .bind(Json::Array(tools))
    .execute(&mut **tx)
    .await
    .map(|_| ())
}

fn read(row: &PgRow) -> Result<UsageSum, sqlx::Error> {
    Ok(UsageSum {
        group: row.try_get("grp")?,
        runs: row.try_get("runs")?,
        calls: row.try_get("calls")?,
        prompt_tokens: row.try_get("prompt_tokens")?,
        completion_tokens: row.try_get("completion_tokens")?,
        reasoning_tokens: row.try_get("reasoning_tokens")?,
        cached_tokens: row.try_get("cached_tokens")?,
        cost: row.try_get("cost")?,
    })
}
