//! Table `ai.agent_runs`: answers being worked out, and those that were. Row-level security decides whose are seen.

use serde::Serialize;
use serde_json::Value as Json;
use sqlx::Row;
use sqlx::postgres::PgRow;
use thiserror::Error;
use uuid::Uuid;

use super::audit_events;
use super::credits::{self, CreditError};
use super::delegations;
use super::idempotency::{self, KeyClaim};
use super::journal;
use super::leases::Hold;
use super::run_events::insert_events;
use super::sessions::insert_session;
use super::{Db, HostTx, RunLimits};
use crate::identity::Principal;

/// Runs of a conversation that a model may be reminded of.
const REMEMBERED_RUNS: i64 = 200;

/// The conversation a run belongs to.
#[derive(Clone, Debug)]
pub enum RunSession {
    /// A new one with this id, the caller's own.
    New(String),
    /// One that the caller has with this agent.
    Existing(String),
    /// One of this id, made where there is none. Only for the service role in its own name.
    Named(String),
}

/// A run to begin.
#[derive(Clone, Debug)]
pub struct NewRun<'a> {
    /// Its id.
    pub run_id: &'a str,
    /// Its conversation.
    pub session: &'a RunSession,
    /// The agent.
    pub agent_id: Uuid,
    /// The model it asks.
    pub model: &'a str,
    /// What was asked.
    pub input_messages: &'a Json,
    /// The passages that it is given to read.
    pub retrieved_context: &'a Json,
    /// How long its host is taken to be alive.
    pub lease_seconds: f64,
    /// Bytes of earlier messages to read.
    pub history_bytes: i64,
    /// The idempotency key of the request.
    pub claim: Option<KeyClaim>,
    /// The HTTP request that asked for it.
    pub request_id: Option<&'a str>,
    /// Events that are stored with it, from number 1 on.
    pub first_events: &'a [Json],
    /// What was asked, for a host that takes the run over.
    pub request: &'a Json,
    /// The run whose agent asks, and how many there are above this one.
    pub parent: Option<(&'a str, i32)>,
}

/// A run that was begun.
#[derive(Clone, Debug)]
pub struct OpenedRun {
    /// Whether the conversation began with it.
    pub is_new_session: bool,
    /// Messages of earlier completed runs that this caller sees: one list per run, oldest first.
    pub history: Vec<Vec<Json>>,
}

/// Why a run was not begun.
#[derive(Debug, Error)]
pub enum OpenRunError {
    /// No such conversation, or none this caller has with this agent.
    #[error("Session not found")]
    Session,
    /// As many runs go on as may.
    #[error("{whose} may have {allowed} runs at once; wait for one to end or cancel one")]
    TooMany {
        /// Whose runs were counted.
        whose: &'static str,
        /// How many there may be.
        allowed: u32,
    },
    /// There are not enough credits for it, or nobody can say.
    #[error(transparent)]
    Credits(#[from] CreditError),
    /// Another request took over the idempotency key.
    #[error("another request works under this idempotency key")]
    KeyLost,
    /// The caller's delegation may begin no run.
    #[error("this delegation may begin no run")]
    Delegation,
    /// The database failed.
    #[error("the run cannot be stored")]
    Database(#[from] sqlx::Error),
}

/// How a run ended.
#[derive(Clone, Debug, Default)]
pub struct RunEnd {
    /// `completed`, `failed` or `cancelled`.
    pub status: &'static str,
    /// The answer, or as much as there is of it.
    pub content: String,
    /// Messages that the run added to the conversation.
    pub output_messages: Json,
    /// What each step did.
    pub steps: Json,
    /// What each tool call did.
    pub tool_calls: Json,
    /// What the model thought aloud.
    pub reasoning_steps: Json,
    /// Tokens.
    pub usage: Json,
    /// Why it failed.
    pub error: Option<String>,
    /// The model that answered last.
    pub model: String,
}

/// A run as clients see it.
#[derive(Clone, Debug, Serialize)]
pub struct RunRow {
    /// Its row.
    pub id: Uuid,
    /// Its id.
    pub run_id: String,
    /// Its conversation.
    pub session_id: String,
    /// The agent.
    pub agent_id: Uuid,
    /// On whose behalf.
    pub user_id: Option<Uuid>,
    /// Who asked for it.
    pub actor: String,
    /// `running`, `completed`, `failed` or `cancelled`.
    pub status: String,
    /// The model.
    pub model: Option<String>,
    /// What was asked.
    pub input_messages: Json,
    /// What it added to the conversation.
    pub output_messages: Json,
    /// The answer.
    pub content: Option<String>,
    /// What each step did.
    pub steps: Json,
    /// What each tool call did.
    pub tool_calls: Json,
    /// What the model thought aloud.
    pub reasoning_steps: Json,
    /// Tokens.
    pub usage: Json,
    /// The passages that it was given to read.
    pub retrieved_context: Json,
    /// Why it failed.
    pub error: Option<String>,
    /// Whether the conversation began with it.
    pub is_new_session: bool,
    /// The run whose agent asked this one.
    pub parent_run_id: Option<String>,
    /// What it waits for: `approval`.
    pub waiting_for: Option<String>,
    /// RFC 3339.
    pub started_at: String,
    /// RFC 3339.
    pub completed_at: Option<String>,
    /// RFC 3339.
    pub created_at: String,
    /// Its events but for the pieces of text; only where one run is asked for.
    pub events: Json,
}

const ONE: &str = "
    select r.id, run_id, session_id, agent_id, user_id, actor, status, model, input_messages, output_messages, content, steps,
        tool_calls, reasoning_steps, usage, retrieved_context, error, is_new_session, parent_run_id, to_json(started_at) #>> '{}' as started_at,
        to_json(completed_at) #>> '{}' as completed_at, to_json(created_at) #>> '{}' as created_at,
        (select 'approval' from ai.run_approvals a where a.run_id = r.run_id and a.status = 'pending' and a.expires_at > now()
            and r.status = 'running' limit 1) as waiting_for,
        (select coalesce(jsonb_agg(e.event order by e.seq), '[]') from ai.run_events e
         where e.run_id = r.run_id and e.event ->> 'event' not in ('content_delta', 'reasoning_delta', 'tool_progress')) as events
    from ai.agent_runs r where run_id = $1";

const OF_SESSION: &str = "
    select id, run_id, session_id, agent_id, user_id, actor, status, model, input_messages, output_messages, content, steps,
        tool_calls, reasoning_steps, usage, retrieved_context, error, is_new_session, parent_run_id, to_json(started_at) #>> '{}' as started_at,
        to_json(completed_at) #>> '{}' as completed_at, to_json(created_at) #>> '{}' as created_at,
        (select 'approval' from ai.run_approvals a where a.run_id = r.run_id and a.status = 'pending' and a.expires_at > now()
            and r.status = 'running' limit 1) as waiting_for,
        '[]'::jsonb as events
    from ai.agent_runs r where session_id = $1 order by r.started_at, id limit $2 offset $3";

/// Newest first until there is enough to read, and then in order again.
const HISTORY: &str = "
    select input_messages || output_messages as messages from (
        select input_messages, output_messages, started_at, id,
            sum(octet_length(input_messages::text) + octet_length(output_messages::text))
                over (order by started_at desc, id desc) as bytes
        from ai.agent_runs
        where session_id = $1 and run_id <> $2 and status = 'completed'
        order by started_at desc, id desc limit $3
    ) recent
    where bytes <= $4 order by started_at, id";

const MESSAGES: &str = "
    select * from (
        select run_id, input_messages, content, steps, reasoning_steps, (
                select (e.event ->> 'reasoning_requested')::boolean from ai.run_events e
                where e.run_id = agent_runs.run_id and e.seq = 1
            ) as reasoning_requested, to_json(started_at) #>> '{}' as asked_at,
            to_json(completed_at) #>> '{}' as answered_at, started_at, id
        from ai.agent_runs where session_id = $1 and status = 'completed'
        order by started_at desc, id desc limit $2
    ) recent
    order by started_at, id";

/// What one completed run said, for a conversation's transcript.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The run.
    pub run_id: String,
    /// What was asked.
    pub input_messages: Json,
    /// What was answered.
    pub content: Option<String>,
    /// What each step did.
    pub steps: Json,
    /// What the model thought aloud.
    pub reasoning_steps: Json,
    /// Whether thinking was asked for; none where no model was.
    pub reasoning_requested: Option<bool>,
    /// RFC 3339.
    pub asked_at: String,
    /// RFC 3339.
    pub answered_at: Option<String>,
}

impl RunSession {
    /// The conversation's id.
    pub fn id(&self) -> &str {
        match self {
            Self::New(id) | Self::Existing(id) | Self::Named(id) => id,
        }
    }
}

impl Db {
    /// Begins a run: finds or makes its conversation, stores the run with its first events, and reads what was said before.
    pub async fn open_run(&self, principal: &Principal, run: &NewRun<'_>) -> Result<OpenedRun, OpenRunError> {
        let mut tx = self.begin(principal).await?;
        // A run below another one is part of what that one was let do.
        if run.parent.is_none() && !delegations::spend_run(&mut tx, principal).await? {
            return Err(OpenRunError::Delegation);
        }
        if !idempotency::began_run(&mut tx, run.claim.as_ref(), run.run_id).await? {
            return Err(OpenRunError::KeyLost);
        }
        if run.parent.is_none() {
            make_room(&mut tx, principal, self.run_limits).await?;
        }
        credits::hold_for_run(&mut tx, &self.billing, principal, run.run_id).await?;
        let (session_id, is_new_session) = find_session(&mut tx, principal, run).await?;
        sqlx::query(
            "insert into ai.agent_runs (run_id, session_id, agent_id, user_id, actor, status, model, input_messages,
                is_new_session, lease_until, retrieved_context, parent_run_id, depth)
             values ($1, $2, $3, $4, $5, 'running', $6, $7, $8, now() + $9 * interval '1 second', $10, $11, $12)",
        )
        .bind(run.run_id)
        .bind(session_id)
        .bind(run.agent_id)
        .bind(principal.subject())
        .bind(principal.actor())
        .bind(run.model)
        .bind(run.input_messages)
        .bind(is_new_session)
        .bind(run.lease_seconds)
        .bind(run.retrieved_context)
        .bind(run.parent.map(|(run_id, _)| run_id))
        .bind(run.parent.map_or(0, |(_, depth)| depth))
        .execute(&mut *tx)
        .await?;
        journal::insert_work(&mut tx, principal, run.run_id, run.request).await?;
        insert_events(&mut tx, principal, run.run_id, 1, run.first_events).await?;
        audit_events::run_started(&mut tx, principal, run.run_id, run.agent_id, run.request_id).await?;
        let history = if is_new_session {
            Vec::new()
        } else {
            read_history(&mut tx, session_id, run.run_id, run.history_bytes).await?
        };
        tx.commit().await?;
        Ok(OpenedRun { is_new_session, history })
    }

    /// Ends a run and stores its last events, together. False where it is over already, gone, or another host's.
    pub async fn close_run(
        &self,
        principal: &Principal,
        hold: &Hold,
        end: &RunEnd,
        first_seq: i64,
        events: &[Json],
    ) -> Result<bool, sqlx::Error> {
        let mut tx = self.begin(principal).await?;
        let done = sqlx::query(
            "update ai.agent_runs set status = $2, content = $3, output_messages = $4, steps = $5, tool_calls = $6,
                reasoning_steps = $7, usage = $8, error = $9, completed_at = now(), lease_until = null, model = $11
             where run_id = $1 and epoch = $10 and status = 'running' returning agent_id",
        )
        .bind(&hold.run_id)
        .bind(end.status)
        .bind(&end.content)
        .bind(&end.output_messages)
        .bind(&end.steps)
        .bind(&end.tool_calls)
        .bind(&end.reasoning_steps)
        .bind(&end.usage)
        .bind(&end.error)
        .bind(hold.epoch)
        .bind(&end.model)
        .fetch_optional(&mut *tx)
        .await?;
        let Some(row) = done else { return Ok(false) };
        let run = (hold.run_id.as_str(), row.try_get("agent_id")?, end.model.as_str());
        credits::settle_run(&mut tx, &self.billing, principal, run, end).await?;
        insert_events(&mut tx, principal, &hold.run_id, first_seq, events).await?;
        journal::delete_work(&mut tx, &hold.run_id).await?;
        tx.commit().await?;
        self.news.tell(&hold.run_id);
        Ok(true)
    }

    /// The run of this id.
    pub async fn run(&self, principal: &Principal, run_id: &str) -> Result<Option<RunRow>, sqlx::Error> {
        let mut tx = self.begin(principal).await?;
        let row = sqlx::query(ONE).bind(run_id).fetch_optional(&mut *tx).await?;
        tx.commit().await?;
        row.as_ref().map(read_run).transpose()
    }

    /// Runs of a conversation, oldest first.
    pub async fn runs_of_session(
        &self,
        principal: &Principal,
        session: &str,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<RunRow>, sqlx::Error> {
        let mut tx = self.begin(principal).await?;
        let rows = sqlx::query(OF_SESSION).bind(session).bind(limit).bind(offset).fetch_all(&mut *tx).await?;
        tx.commit().await?;
        rows.iter().map(read_run).collect()
    }

    /// What the last completed runs of a conversation said, oldest first.
    pub async fn exchanges_of_session(
        &self,
        principal: &Principal,
        session: &str,
        limit: i64,
    ) -> Result<Vec<Exchange>, sqlx::Error> {
        let mut tx = self.begin(principal).await?;
        let rows = sqlx::query(MESSAGES).bind(session).bind(limit).fetch_all(&mut *tx).await?;
        tx.commit().await?;
        rows.iter().map(read_exchange).collect()
    }

    /// Asks for the end of a run; its status, none where the caller sees no such run.
    pub async fn request_cancel(&self, principal: &Principal, run_id: &str) -> Result<Option<String>, sqlx::Error> {
        let mut tx = self.begin(principal).await?;
        let row = sqlx::query(
            "update ai.agent_runs set cancel_requested_at = case when status in ('pending', 'running')
                then coalesce(cancel_requested_at, now()) else cancel_requested_at end
             where run_id = $1 returning status",
        )
        .bind(run_id)
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        row.map(|row| row.try_get(0)).transpose()
    }
}

/// Refuses a run where as many go on as may. Who begins one at the same moment waits, so that none slips in between.
async fn make_room(tx: &mut HostTx, principal: &Principal, limits: RunLimits) -> Result<(), OpenRunError> {
    let scopes = [
        ("a user", principal.subject(), limits.user.filter(|_| principal.subject().is_some())),
        ("the project", None, limits.project),
    ];
    for (whose, user, allowed) in scopes {
        let Some(allowed) = allowed else { continue };
        let running: i64 =
            sqlx::query_scalar("select ai.lock_and_count_runs($1)").bind(user).fetch_one(&mut **tx).await?;
        if running >= i64::from(allowed) {
            return Err(OpenRunError::TooMany { whose, allowed });
        }
    }
    Ok(())
}

/// The id of the run's conversation, and whether it is new.
async fn find_session<'a>(
    tx: &mut HostTx,
    principal: &Principal,
    run: &NewRun<'a>,
) -> Result<(&'a str, bool), OpenRunError> {
    let id = match run.session {
        RunSession::New(id) => {
            let made = insert_session(tx, id, run.agent_id, principal.subject()).await?;
            return made.then_some((id.as_str(), true)).ok_or(OpenRunError::Session);
        }
        RunSession::Named(id) if insert_session(tx, id, run.agent_id, None).await? => return Ok((id, true)),
        RunSession::Named(id) | RunSession::Existing(id) => id,
    };
    let done = sqlx::query("update ai.agent_sessions set updated_at = now() where session_id = $1 and agent_id = $2")
        .bind(id)
        .bind(run.agent_id)
        .execute(&mut **tx)
        .await?;
    if done.rows_affected() == 0 { Err(OpenRunError::Session) } else { Ok((id, false)) }
}

/// Messages of earlier runs: one list per run, oldest first.
pub(super) async fn read_history(
    tx: &mut HostTx,
    session_id: &str,
    run_id: &str,
    bytes: i64,
) -> Result<Vec<Vec<Json>>, sqlx::Error> {
    let rows = sqlx::query(HISTORY)
        .bind(session_id)
        .bind(run_id)
        .bind(REMEMBERED_RUNS)
        .bind(bytes)
        .fetch_all(&mut **tx)
        .await?;
    let read = |row: &PgRow| match row.try_get("messages")? {
        Json::Array(messages) => Ok(messages),
        _ => Ok(Vec::new()),
    };
    rows.iter().map(read).collect()
}

fn read_run(row: &PgRow) -> Result<RunRow, sqlx::Error> {
    Ok(RunRow {
        id: row.try_get("id")?,
        run_id: row.try_get("run_id")?,
        session_id: row.try_get("session_id")?,
        agent_id: row.try_get("agent_id")?,
        user_id: row.try_get("user_id")?,
        actor: row.try_get("actor")?,
        status: row.try_get("status")?,
        model: row.try_get("model")?,
        input_messages: row.try_get("input_messages")?,
        output_messages: row.try_get("output_messages")?,
        content: row.try_get("content")?,
        steps: row.try_get("steps")?,
        tool_calls: row.try_get("tool_calls")?,
        reasoning_steps: row.try_get("reasoning_steps")?,
        usage: row.try_get("usage")?,
        retrieved_context: row.try_get("retrieved_context")?,
        error: row.try_get("error")?,
        is_new_session: row.try_get("is_new_session")?,
        parent_run_id: row.try_get("parent_run_id")?,
        waiting_for: row.try_get("waiting_for")?,
        started_at: row.try_get("started_at")?,
        completed_at: row.try_get("completed_at")?,
        created_at: row.try_get("created_at")?,
        events: row.try_get("events")?,
    })
}

fn read_exchange(row: &PgRow) -> Result<Exchange, sqlx::Error> {
    Ok(Exchange {
        run_id: row.try_get("run_id")?,
        input_messages: row.try_get("input_messages")?,
        content: row.try_get("content")?,
        steps: row.try_get("steps")?,
        reasoning_steps: row.try_get("reasoning_steps")?,
        reasoning_requested: row.try_get("reasoning_requested")?,
        asked_at: row.try_get("asked_at")?,
        answered_at: row.try_get("answered_at")?,
    })
}
