//! Table `ai.usage`: what runs used. Each run that ended has one row, and one more for each of its tools.

use behalf_caller_db::{AuditLog, CallIdRange};
use behalf_host_db::{HostDb, HostTx};
use behalf_identity::Principal;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value as Json, json};
use sqlx::FromRow;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::billing::RunCost;
use crate::prices::Tokens;

/// A field that usage is grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum UsageGroup {
    /// Days of UTC.
    Day,
    /// The agent.
    Agent,
    /// The model.
    Model,
    /// The tool. What a run used beside its tools is in the group without one.
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
    /// One sum for each value of this field; one sum for all where absent.
    pub group_by: Option<UsageGroup>,
}

/// Usage summed up.
#[derive(Clone, Debug, FromRow, Serialize, ToSchema)]
pub struct UsageSum {
    /// The day, agent, model or tool; absent where there is none.
    #[sqlx(rename = "grp")]
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

/// What a run used.
#[derive(Clone, Debug)]
pub(crate) struct RunUsage<'a> {
    pub(crate) run_id: &'a str,
    pub(crate) agent_id: Uuid,
    pub(crate) model: &'a str,
    pub(crate) tokens: Tokens,
    pub(crate) cost: &'a RunCost,
}

/// A direct call has a row in the audit log and, where it was charged, one in the ledger. It has none in `ai.usage`, so that
/// counting costs a call nothing. The primary key finds the direct calls between two ids, and `started_at` says which of
/// them count. A hostile provider's numbers may add up to more than a bigint holds.
const SUMS: &str = "
    with used as (
        select occurred_at, user_id, agent_id, model, tool, run_id, prompt_tokens, completion_tokens, reasoning_tokens,
            cached_tokens, calls, cost
        from ai.usage
        union all
        select t.started_at, t.user_id, t.agent_id, null, t.tool, null, 0, 0, 0, 0, 1, coalesce(-l.amount, 0)
        from ai.tool_calls t left join ai.credit_ledger l on l.call_id = t.call_id
        where t.run_id is null and t.outcome = 'ok'
          and ($6::uuid is null or t.call_id >= $6) and ($7::uuid is null or t.call_id < $7)
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

/// Reads usage.
#[derive(Clone, Debug)]
pub struct UsageStore {
    db: HostDb,
    log: AuditLog,
}

impl UsageStore {
    /// Usage in `db`; `log` writes the direct calls.
    pub fn new(db: HostDb, log: AuditLog) -> Self {
        Self { db, log }
    }

    /// Sums of the usage that the caller may see. Calls that have ended are counted, also where their rows were still waiting
    /// to be written.
    pub async fn sums(&self, principal: &Principal, filter: &UsageFilter) -> Result<Vec<UsageSum>, sqlx::Error> {
        self.log.flush().await;
        let ids = CallIdRange::of(filter.from, filter.to);
        let mut tx = self.db.begin(principal).await?;
        let sums = sqlx::query_as(SUMS)
            .bind(filter.from)
            .bind(filter.to)
            .bind(filter.agent)
            .bind(filter.user)
            .bind(filter.group_by.map(UsageGroup::as_str))
            .bind(ids.first)
            .bind(ids.end)
            // A plan of its own for each set of bounds: one for all sets could use no index.
            .persistent(false)
            .fetch_all(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(sums)
    }
}

impl RunUsage<'_> {
    /// Writes what the run used, in the transaction that ends it.
    pub(crate) async fn insert(&self, tx: &mut HostTx, principal: &Principal) -> Result<(), sqlx::Error> {
        let tools = self.cost.tools.iter();
        let tools = tools.map(|(tool, cost)| json!({ "tool": tool.tool, "calls": tool.calls, "cost": cost })).collect();
        sqlx::query(
            "insert into ai.usage (run_id, user_id, actor, agent_id, model, tool, prompt_tokens, completion_tokens,
                reasoning_tokens, cached_tokens, calls, cost)
             select $1::text, $2::uuid, $3::text, $4::uuid, $5::text, null::text, $6::bigint, $7::bigint, $8::bigint,
                $9::bigint, 0::bigint, $10::bigint
             union all
             select $1, $2, $3, $4, $5, tool, 0, 0, 0, 0, calls, cost
             from jsonb_to_recordset($11) as given (tool text, calls bigint, cost bigint)",
        )
        .bind(self.run_id)
        .bind(principal.subject())
        .bind(principal.actor())
        .bind(self.agent_id)
        .bind(self.model)
        .bind(to_bigint(self.tokens.prompt))
        .bind(to_bigint(self.tokens.completion))
        .bind(to_bigint(self.tokens.reasoning))
        .bind(to_bigint(self.tokens.cached))
        .bind(self.cost.run)
        .bind(Json::Array(tools))
        .execute(&mut **tx)
        .await
        .map(|_| ())
    }
}

fn to_bigint(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
