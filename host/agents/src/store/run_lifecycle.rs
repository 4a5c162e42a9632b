//! How runs begin and end in `ai.agent_runs`. Everything that belongs to a beginning or an end is stored in one transaction:
//! the session, the events, the resume state, the audit event, the counted delegation and the held or charged credits.

use behalf_contracts::{CreditError, EndedRun};
use behalf_host_db::{AuditAction, AuditEvent, Ended, HostTx};
use behalf_identity::Principal;
use behalf_web::KeyClaim;
use serde_json::{Value as Json, json};
use thiserror::Error;
use uuid::Uuid;

use super::awaited_run::{AwaitedBy, insert_awaited_run};
use super::citation::insert_citations;
use super::context_handler::{NewContextHandler, insert_context_handler};
use super::history::read_history;
use super::resume_state::{delete_resume_state, insert_resume_state};
use super::run::{RunLimits, RunStore};
use super::run_event::insert_events;
use super::run_failure::insert_failure;
use super::run_lease::RunLease;
use super::session::insert_session;

const RUN_STARTED: AuditAction = AuditAction::new("run.started");

/// The session that a run belongs to.
#[derive(Clone, Debug)]
pub(crate) enum RunSession {
    /// A new one with this id, the caller's own.
    New(String),
    /// One that the caller has with this agent.
    Existing(String),
    /// One of this id, made where there is none. Only for the service role in its own name.
    Named(String),
}

impl RunSession {
    /// The session's id.
    pub(crate) fn id(&self) -> &str {
        match self {
            Self::New(id) | Self::Existing(id) | Self::Named(id) => id,
        }
    }
}

/// A run to begin.
#[derive(Clone, Debug)]
pub(crate) struct NewRun<'a> {
    /// Its id.
    pub(crate) run_id: &'a str,
    /// Its session.
    pub(crate) session: &'a RunSession,
    /// The agent.
    pub(crate) agent_id: Uuid,
    /// The model that it asks.
    pub(crate) model: &'a str,
    /// The messages that ask.
    pub(crate) input_messages: &'a Json,
    /// The passages that it is given to read.
    pub(crate) retrieved_context: &'a Json,
    /// The lease duration.
    pub(crate) lease_seconds: f64,
    /// Bytes of earlier messages to read.
    pub(crate) history_bytes: i64,
    /// The idempotency key of the request.
    pub(crate) claim: Option<KeyClaim>,
    /// The request of the client that waits for it, where the request has no key.
    pub(crate) awaited: Option<AwaitedBy>,
    /// The HTTP request that asked for it.
    pub(crate) request_id: Option<&'a str>,
    /// Events that are stored with it, from number 1 on.
    pub(crate) first_events: &'a [Json],
    /// The caller, sealed for this run, for a host that resumes it.
    pub(crate) identity: &'a Json,
    /// The request, for a host that resumes the run.
    pub(crate) request: &'a Json,
    /// The run whose agent asks, and how many runs are above the new one.
    pub(crate) parent: Option<(&'a str, i32)>,
    /// The search whose passages it was given.
    pub(crate) handler: Option<Uuid>,
    /// That search, where it was made for this run.
    pub(crate) search: Option<NewContextHandler<'a>>,
    /// Why the search gave nothing.
    pub(crate) warning: Option<&'a str>,
    /// The passages that the answer may cite; none where citations were not asked for.
    pub(crate) citation_candidates: Option<&'a Json>,
    /// Whether its events are messages of its user's channel as well.
    pub(crate) is_mirrored: bool,
}

/// A run that was begun.
#[derive(Clone, Debug)]
pub(crate) struct OpenedRun {
    /// Whether the session began with it.
    pub(crate) is_new_session: bool,
    /// Messages of earlier completed runs that this caller sees: one list per run, oldest first.
    pub(crate) history: Vec<Vec<Json>>,
}

/// Why a run was not begun.
#[derive(Debug, Error)]
pub(crate) enum OpenRunError {
    /// No such session, or none this caller has with this agent.
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
    /// There are not enough credits for it, or they cannot be read.
    #[error(transparent)]
    Credits(#[from] CreditError),
    /// Another request took over the idempotency key.
    #[error("another request works under this idempotency key")]
    KeyLost,
    /// The caller's delegation may begin no run.
    #[error("this delegation may begin no run")]
    Delegation,
    /// The connection broke at the commit, and the server does not say whether it was made.
    #[error("the database went away as the run began, and nobody knows whether it did")]
    Unknown,
    /// The database failed.
    #[error("the run cannot be stored")]
    Database(#[from] sqlx::Error),
}

/// How a run ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct RunEnd {
    /// `completed`, `failed` or `cancelled`.
    pub(crate) status: &'static str,
    /// The answer, or as much as there is of it.
    pub(crate) content: String,
    /// Messages that the run added to the session.
    pub(crate) output_messages: Json,
    /// One record for each step.
    pub(crate) steps: Json,
    /// One record for each tool call.
    pub(crate) tool_calls: Json,
    /// The model's thoughts, by step.
    pub(crate) reasoning_steps: Json,
    /// Tokens.
    pub(crate) usage: Json,
    /// The passages that it was given to read, those that tools found included.
    pub(crate) retrieved_context: Json,
    /// What the answer cites; none where citations were not asked for.
    pub(crate) citations: Option<Json>,
    /// The passages that it could cite.
    pub(crate) citation_candidates: Option<Json>,
    /// Why it failed.
    pub(crate) error: Option<String>,
    /// What the model's endpoint said of it, for the service role.
    pub(crate) error_reason: Option<String>,
    /// What is added to the run's warning.
    pub(crate) warning: Option<String>,
    /// The model that answered last.
    pub(crate) model: String,
}

impl RunEnd {
    /// The end as far as its cost goes.
    pub(crate) fn for_accounting<'a>(&'a self, run_id: &'a str, agent_id: Uuid) -> EndedRun<'a> {
        EndedRun {
            run_id,
            agent_id,
            model: &self.model,
            is_completed: self.status == "completed",
            usage: &self.usage,
            tool_calls: &self.tool_calls,
        }
    }
}

impl RunStore {
    /// Begins a run: finds or makes its session, stores the run with its first events, and reads what was said before.
    pub(crate) async fn open(&self, principal: &Principal, run: &NewRun<'_>) -> Result<OpenedRun, OpenRunError> {
        let mut tx = self.db.begin(principal).await?;
        if let Some(claim) = &run.claim
            && !claim.bind_run(&mut tx, run.run_id).await?
        {
            return Err(OpenRunError::KeyLost);
        }
        // A run below another one is part of what that one was allowed. The user's lock comes before the delegation's row, as it
        // does where the user begins a run and all of their delegations are refreshed.
        if run.parent.is_none() {
            check_concurrency(&mut tx, principal, self.limits).await?;
            if !self.accounting.count_delegated_run(&mut tx, principal).await? {
                return Err(OpenRunError::Delegation);
            }
        }
        self.accounting.refresh_delegations(&mut tx, principal).await?;
        self.accounting.hold_for_run(&mut tx, principal, run.run_id).await?;
        let (session_id, is_new_session) = find_session(&mut tx, principal, run).await?;
        let transaction = insert_run(&mut tx, principal, run, session_id, is_new_session).await?;
        if let Some(search) = &run.search {
            insert_context_handler(&mut tx, principal, search).await?;
        }
        if let Some(by) = run.awaited {
            insert_awaited_run(&mut tx, principal, run.run_id, by).await?;
        }
        insert_resume_state(&mut tx, principal, run).await?;
        insert_events(&mut tx, principal.subject(), run.run_id, 1, run.first_events).await?;
        let started = AuditEvent {
            object: Some(run.run_id),
            details: json!({ "agent_id": run.agent_id }),
            ..AuditEvent::new(RUN_STARTED, principal, run.request_id)
        };
        started.insert(&mut tx, principal).await?;
        let history = if is_new_session {
            Vec::new()
        } else {
            read_history(&mut tx, session_id, run.run_id, run.history_bytes).await?
        };
        if let Err(error) = tx.commit().await {
            self.look_whether_stored(principal, run.run_id, &transaction, error).await?;
        }
        Ok(OpenedRun { is_new_session, history })
    }

    /// Looks whether a run was stored whose commit failed with `error`: its answer may have been lost, and a client that were told
    /// to begin the run again would begin a second one.
    async fn look_whether_stored(
        &self,
        principal: &Principal,
        run_id: &str,
        transaction: &str,
        error: sqlx::Error,
    ) -> Result<(), OpenRunError> {
        let ended = self.db.how_ended(transaction).await;
        // The row decides: after a crash, another transaction may have got the number.
        match (self.find(principal, run_id).await, ended) {
            (Ok(Some(_)), _) => Ok(()),
            (Ok(None), Ended::Committed | Ended::RolledBack) => Err(error.into()),
            (Ok(None), Ended::Unknown) | (Err(_), _) => Err(OpenRunError::Unknown),
        }
    }

    /// Ends a run and stores its last events, together. False where the run is over already or the lease is lost.
    pub(crate) async fn close(
        &self,
        principal: &Principal,
        lease: &RunLease,
        end: &RunEnd,
        first_seq: i64,
        events: &[Json],
    ) -> Result<bool, sqlx::Error> {
        let mut tx = self.db.begin(principal).await?;
        let agent_id: Option<Uuid> = sqlx::query_scalar(
            "update ai.agent_runs set status = $2, content = $3, output_messages = $4, steps = $5, tool_calls = $6,
                reasoning_steps = $7, usage = $8, error = $9, completed_at = now(), lease_until = null, model = $11,
                retrieved_context = $12, citation_candidates = $13,
                warning = nullif(concat_ws(chr(10), warning, $14::text), '')
             where run_id = $1 and epoch = $10 and status = 'running' returning agent_id",
        )
        .bind(&lease.run_id)
        .bind(end.status)
        .bind(&end.content)
        .bind(&end.output_messages)
        .bind(&end.steps)
        .bind(&end.tool_calls)
        .bind(&end.reasoning_steps)
        .bind(&end.usage)
        .bind(&end.error)
        .bind(lease.epoch)
        .bind(&end.model)
        .bind(&end.retrieved_context)
        .bind(&end.citation_candidates)
        .bind(&end.warning)
        .fetch_optional(&mut *tx)
        .await?;
        let Some(agent_id) = agent_id else { return Ok(false) };
        self.accounting.settle_run(&mut tx, principal, end.for_accounting(&lease.run_id, agent_id)).await?;
        if let Some(citations) = &end.citations {
            insert_citations(&mut tx, principal, &lease.run_id, citations).await?;
        }
        if let Some(reason) = &end.error_reason {
            insert_failure(&mut tx, &lease.run_id, reason).await?;
        }
        insert_events(&mut tx, principal.subject(), &lease.run_id, first_seq, events).await?;
        delete_resume_state(&mut tx, &lease.run_id).await?;
        tx.commit().await?;
        self.notifier.publish(lease);
        Ok(true)
    }
}

/// Refuses a run where as many go on as may. A caller who begins one at the same moment waits, so that none slips in between.
async fn check_concurrency(tx: &mut HostTx, principal: &Principal, limits: RunLimits) -> Result<(), OpenRunError> {
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

/// The id of the run's session, and whether it is new.
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

/// Stores the run. Returns the number of the transaction.
async fn insert_run(
    tx: &mut HostTx,
    principal: &Principal,
    run: &NewRun<'_>,
    session_id: &str,
    is_new_session: bool,
) -> Result<String, sqlx::Error> {
    sqlx::query_scalar(
        "insert into ai.agent_runs (run_id, session_id, agent_id, user_id, actor, status, model, input_messages,
            is_new_session, lease_until, retrieved_context, parent_run_id, depth, context_handler_id, warning, citation_candidates,
            is_mirrored)
         values ($1, $2, $3, $4, $5, 'running', $6, $7, $8, now() + $9 * interval '1 second', $10, $11, $12, $13, $14, $15, $16)
         returning pg_current_xact_id()::text",
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
    .bind(run.handler)
    .bind(run.warning)
    .bind(run.citation_candidates)
    .bind(run.is_mirrored)
    .fetch_one(&mut **tx)
    .await
}
