//! Table `ai.agent_runs`: answers that are worked out, and those that were. Row-level security decides whose are seen.

use std::sync::Arc;

use behalf_contracts::RunAccounting;
use behalf_host_db::HostDb;
use behalf_identity::Principal;
use serde::Serialize;
use serde_json::Value as Json;
use sqlx::FromRow;
use utoipa::ToSchema;
use uuid::Uuid;

use super::history::read_history;
use super::run_notifier::RunNotifier;

/// How many runs may go on at once. Runs that an agent begins within another run do not count.
#[derive(Clone, Copy, Debug, Default)]
pub struct RunLimits {
    /// Of one user; no limit where absent.
    pub user: Option<u32>,
    /// Of the whole project; no limit where absent.
    pub project: Option<u32>,
}

/// A run as clients see it.
#[derive(Clone, Debug, FromRow, Serialize, ToSchema)]
pub(crate) struct RunRow {
    /// Its row.
    pub(crate) id: Uuid,
    /// Its id.
    pub(crate) run_id: String,
    /// Its session.
    pub(crate) session_id: String,
    /// The agent.
    pub(crate) agent_id: Uuid,
    /// The user on whose behalf it works.
    pub(crate) user_id: Option<Uuid>,
    /// Who asked for it: a user's id, `delegation:` and an id, or `service_role`.
    pub(crate) actor: String,
    /// `pending`, `running`, `completed`, `failed` or `cancelled`.
    pub(crate) status: String,
    /// The model.
    pub(crate) model: Option<String>,
    /// The messages that asked.
    #[schema(value_type = Vec<Object>)]
    pub(crate) input_messages: Json,
    /// The messages that it added to the session.
    #[schema(value_type = Vec<Object>)]
    pub(crate) output_messages: Json,
    /// The answer.
    pub(crate) content: Option<String>,
    /// One record for each step.
    #[schema(value_type = Vec<Object>)]
    pub(crate) steps: Json,
    /// One record for each tool call.
    #[schema(value_type = Vec<Object>)]
    pub(crate) tool_calls: Json,
    /// The model's thoughts, by step.
    #[schema(value_type = Vec<Object>)]
    pub(crate) reasoning_steps: Json,
    /// The tokens that it used, and its cost where things have a price.
    #[schema(value_type = Object)]
    pub(crate) usage: Json,
    /// The passages that it was given to read.
    #[schema(value_type = Vec<Object>)]
    pub(crate) retrieved_context: Json,
    /// The search that was made before the model was asked.
    pub(crate) context_handler_id: Option<Uuid>,
    /// What the numbers in the answer stand for; null where citations were not asked for.
    #[schema(value_type = Option<Vec<Object>>)]
    pub(crate) citations: Option<Json>,
    /// The passages that the answer could cite; null where citations were not asked for.
    #[schema(value_type = Option<Vec<Object>>)]
    pub(crate) citation_candidates: Option<Json>,
    /// Why a search before the run gave nothing, and which tools the agent did not get.
    pub(crate) warning: Option<String>,
    /// Why it failed.
    pub(crate) error: Option<String>,
    /// What the model's endpoint said of it; for the service role alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error_reason: Option<String>,
    /// Whether the session began with it.
    pub(crate) is_new_session: bool,
    /// The run whose agent asked this one.
    pub(crate) parent_run_id: Option<String>,
    /// `approval` while it waits until somebody agrees to a call.
    pub(crate) waiting_for: Option<String>,
    /// RFC 3339.
    pub(crate) started_at: String,
    /// RFC 3339.
    pub(crate) completed_at: Option<String>,
    /// RFC 3339.
    pub(crate) created_at: String,
    /// Its events without the pieces of text; empty in lists.
    #[schema(value_type = Vec<Object>)]
    pub(crate) events: Json,
}

impl RunRow {
    /// Whether it is not over yet.
    pub(crate) fn is_unfinished(&self) -> bool {
        matches!(self.status.as_str(), "running" | "pending")
    }
}

/// What one completed run said, for a session's transcript.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Exchange {
    /// The run.
    pub(crate) run_id: String,
    /// The messages that asked.
    pub(crate) input_messages: Json,
    /// The answer.
    pub(crate) content: Option<String>,
    /// What the numbers in the answer stand for; none where citations were not asked for.
    pub(crate) citations: Option<Json>,
    /// One record for each step.
    pub(crate) steps: Json,
    /// The model's thoughts, by step.
    pub(crate) reasoning_steps: Json,
    /// Whether thoughts were asked for; none where no model was.
    pub(crate) reasoning_requested: Option<bool>,
    /// RFC 3339.
    pub(crate) asked_at: String,
    /// RFC 3339.
    pub(crate) answered_at: Option<String>,
}

/// What the numbers in the answer of the run `r` stand for.
macro_rules! citations {
    () => {
        "(select case when r.citation_candidates is not null then coalesce(jsonb_agg(jsonb_build_object('citation_key', c.citation_key,
            'item_id', c.item_id, 'source_id', c.source_id, 'source_name', c.source_name, 'text_excerpt', c.text_excerpt, 'meta', c.meta)
            order by length(c.citation_key), c.citation_key), '[]') end
         from ai.message_citations c where c.run_id = r.run_id)"
    };
}

/// The columns of the run `r`, but its events.
macro_rules! columns {
    () => {
        concat!(
            "r.id, run_id, session_id, agent_id, user_id, actor, status, model, input_messages, output_messages, content, steps,
            tool_calls, reasoning_steps, usage, retrieved_context, context_handler_id, citation_candidates, warning, error,
            is_new_session, parent_run_id, to_json(started_at) #>> '{}' as started_at,
            to_json(completed_at) #>> '{}' as completed_at, to_json(created_at) #>> '{}' as created_at,
            (select 'approval' from ai.run_approvals a where a.run_id = r.run_id and a.status = 'pending' and a.expires_at > now()
                and r.status = 'running' limit 1) as waiting_for,
            (select f.reason from ai.run_failures f where f.run_id = r.run_id) as error_reason, ",
            citations!(),
            " as citations, "
        )
    };
}

const ONE: &str = concat!(
    "select ",
    columns!(),
    "(select coalesce(jsonb_agg(e.event order by e.seq), '[]') from ai.run_events e
      where e.run_id = r.run_id and e.event ->> 'event' not in ('content_delta', 'reasoning_delta', 'tool_progress', 'tool_partial')) as events
     from ai.agent_runs r where run_id = $1"
);

const OF_SESSION: &str = concat!(
    "select ",
    columns!(),
    "'[]'::jsonb as events from ai.agent_runs r where session_id = $1 order by r.started_at, id limit $2 offset $3"
);

const EXCHANGES: &str = concat!(
    "select run_id, input_messages, content, citations, steps, reasoning_steps, reasoning_requested, asked_at, answered_at from (
        select run_id, input_messages, content, steps, reasoning_steps, (
                select (e.event ->> 'reasoning_requested')::boolean from ai.run_events e
                where e.run_id = r.run_id and e.seq = 1
            ) as reasoning_requested, to_json(started_at) #>> '{}' as asked_at,
            to_json(completed_at) #>> '{}' as answered_at, started_at, id, ",
    citations!(),
    " as citations
        from ai.agent_runs r where session_id = $1 and status = 'completed'
        order by started_at desc, id desc limit $2
    ) recent
    order by started_at, id"
);

/// The table of runs.
#[derive(Clone, Debug)]
pub(crate) struct RunStore {
    pub(super) db: HostDb,
    pub(super) notifier: Arc<RunNotifier>,
    pub(super) accounting: Arc<dyn RunAccounting>,
    pub(super) limits: RunLimits,
}

impl RunStore {
    /// The store in this database. Runs begin within `limits`, `accounting` counts and charges them, and `notifier` tells
    /// followers of their ends.
    pub(crate) fn new(
        db: HostDb,
        notifier: Arc<RunNotifier>,
        accounting: Arc<dyn RunAccounting>,
        limits: RunLimits,
    ) -> Self {
        Self { db, notifier, accounting, limits }
    }

    /// The run of this id.
    pub(crate) async fn find(&self, principal: &Principal, run_id: &str) -> Result<Option<RunRow>, sqlx::Error> {
        let mut tx = self.db.begin(principal).await?;
        let run = sqlx::query_as(ONE).bind(run_id).fetch_optional(&mut *tx).await?;
        tx.commit().await?;
        Ok(run)
    }

    /// Runs of a session, oldest first.
    pub(crate) async fn of_session(
        &self,
        principal: &Principal,
        session: &str,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<RunRow>, sqlx::Error> {
        let mut tx = self.db.begin(principal).await?;
        let runs = sqlx::query_as(OF_SESSION).bind(session).bind(limit).bind(offset).fetch_all(&mut *tx).await?;
        tx.commit().await?;
        Ok(runs)
    }

    /// What the last completed runs of a session said, oldest first.
    pub(crate) async fn exchanges(
        &self,
        principal: &Principal,
        session: &str,
        limit: i64,
    ) -> Result<Vec<Exchange>, sqlx::Error> {
        let mut tx = self.db.begin(principal).await?;
        let exchanges = sqlx::query_as(EXCHANGES).bind(session).bind(limit).fetch_all(&mut *tx).await?;
        tx.commit().await?;
        Ok(exchanges)
    }

    /// Messages of a session's completed runs beside `run_id`, at most `bytes` of them: one list per run, oldest first.
    pub(crate) async fn history_before(
        &self,
        principal: &Principal,
        session: &str,
        run_id: &str,
        bytes: i64,
    ) -> Result<Vec<Vec<Json>>, sqlx::Error> {
        let mut tx = self.db.begin(principal).await?;
        let history = read_history(&mut tx, session, run_id, bytes).await?;
        tx.commit().await?;
        Ok(history)
    }

    /// Asks for the end of a run. Returns its status, none where the caller sees no such run.
    pub(crate) async fn request_cancel(
        &self,
        principal: &Principal,
        run_id: &str,
    ) -> Result<Option<String>, sqlx::Error> {
        let mut tx = self.db.begin(principal).await?;
        let status = sqlx::query_scalar(
            "update ai.agent_runs set cancel_requested_at = case when status in ('pending', 'running')
                then coalesce(cancel_requested_at, now()) else cancel_requested_at end
             where run_id = $1 returning status",
        )
        .bind(run_id)
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(status)
    }
}
