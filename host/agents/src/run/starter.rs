//! Begins runs, and resumes those that lost their host.

use std::sync::Arc;
use std::time::{Duration, Instant};

use behalf_contracts::ToolInvoker;
use behalf_identity::{CallerKey, Principal, PrincipalSeal, Role};
use behalf_problem::LogText as _;
use behalf_telemetry::{metric, trace};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use tracing::{Instrument as _, Span};
use uuid::Uuid;

use super::active_runs::{NoSlot, RunSignals, RunSlot};
use super::conversation::Conversation;
use super::driver::{Driver, EarlierWork};
use super::environment::RunEnvironment;
use super::error::{MAX_DEPTH, StartError};
use super::event::Event;
use super::leased_run::LeasedRun;
use super::passages;
use super::records::WrittenEntry;
use super::request::RunRequest;
use super::spec::RunSpec;
use super::start_texts::StartTexts;
use super::subagent::SubagentStarter;
use super::transcript::Transcript;
use crate::ids;
use crate::knowledge::{AgentKnowledge, Passage, SearchedFor, StartSearch};
use crate::provider_access::ProviderAccess;
use crate::store::{AgentStore, AssignmentStore, NewRun, PassageReader, ReadFor, ReclaimedRun, RunLease, RunSession};
use crate::text::storable;
use crate::toolbox::Toolbox;

/// Bytes of stored JSON that may hold a token's text, so that no more history is read than could fit.
const BYTES_PER_TOKEN: i64 = 16;

/// A run that was begun.
#[derive(Clone, Debug)]
pub(crate) struct StartedRun {
    /// Its id.
    pub(crate) run_id: String,
    /// Its session.
    pub(crate) session_id: String,
}

/// Begins and resumes runs.
#[derive(Debug)]
pub(crate) struct RunStarter {
    /// What all runs share.
    pub(crate) environment: Arc<RunEnvironment>,
    /// The table of agents.
    pub(crate) agents: AgentStore,
    /// Their tools.
    pub(crate) assignments: AssignmentStore,
    /// Their knowledge.
    pub(crate) knowledge: AgentKnowledge,
    /// Reads passages that requests name.
    pub(crate) passages: PassageReader,
    /// Agents' own keys for providers.
    pub(crate) access: ProviderAccess,
    /// Stores the callers of runs, and restores them.
    pub(crate) seal: Arc<PrincipalSeal>,
    /// For how long a host has a run without renewing its lease.
    pub(crate) lease_duration: Duration,
    /// For how long a run that is to begin waits for a slot.
    pub(crate) max_wait: Duration,
}

impl RunStarter {
    /// Begins a run on behalf of the principal. It goes on by itself, whether or not anybody waits for it.
    pub(crate) async fn start(
        self: &Arc<Self>,
        principal: &Arc<Principal>,
        agent: Uuid,
        request: RunRequest,
    ) -> Result<StartedRun, StartError> {
        // An agent that is asked by the delegation's own is part of what the delegation allows.
        if request.parent.is_none() && principal.delegation().is_some_and(|delegation| delegation.agent != agent) {
            return Err(StartError::Delegation("this delegation is for another agent"));
        }
        let key = CallerKey::new(principal, None);
        let slot = self.environment.active.reserve(key, self.max_wait).await.map_err(|none| match none {
            NoSlot::Closing => StartError::Closing,
            NoSlot::Busy => StartError::Busy,
        })?;
        // A task, because a client that goes away now must not leave a row that nobody works on.
        let (starter, principal) = (Arc::clone(self), Arc::clone(principal));
        let begun = async move { starter.begin(principal, agent, request, slot).await };
        tokio::spawn(begun.in_current_span()).await?
    }

    /// Resumes a run that lost its host; false where there is none, or no slot for one.
    pub(crate) async fn take_over(self: &Arc<Self>) -> Result<bool, sqlx::Error> {
        // Whose run it is shows only when it is read, so what the host resumes counts as its own.
        let key = CallerKey::Role(Role::Service);
        let Ok(mut slot) = self.environment.active.reserve(key, Duration::ZERO).await else { return Ok(false) };
        let Some(reclaimed) = self.environment.leases.reclaim(self.lease_duration.as_secs_f64()).await? else {
            return Ok(false);
        };
        let lease = reclaimed.lease.clone();
        metric::run_taken_over();
        tracing::info!(run.id = %lease.run_id, run.epoch = lease.epoch, "a run lost its host; resuming it");
        // From here on the lease is renewed. A task, because a tool server that does not answer must not keep the other runs of
        // this host from being renewed.
        let signals = slot.activate(&lease, reclaimed.last_seq);
        let starter = Arc::clone(self);
        tokio::spawn(async move {
            // What fails here is tried again when the lease runs out, by this host or another, and not for ever.
            if let Err(error) = starter.resume(reclaimed, slot, signals).await {
                tracing::warn!(run.id = %lease.run_id, error = error.log_text(), "cannot resume a run");
            }
        });
        Ok(true)
    }

    async fn begin(
        self: Arc<Self>,
        principal: Arc<Principal>,
        agent: Uuid,
        mut request: RunRequest,
        mut slot: RunSlot,
    ) -> Result<StartedRun, StartError> {
        if request.parent.as_ref().is_some_and(|parent| parent.depth > MAX_DEPTH) {
            return Err(StartError::Depth);
        }
        let search = self.find_knowledge(&principal, agent, &mut request).await?;
        let found = search.as_ref().map(|search| search.found.clone());
        let spec = self.spec(&principal, agent, &request, found).await?;
        let parent = request.parent.as_ref();
        let run_id = parent.map_or_else(ids::run_id, |parent| parent.child_id.clone());
        let session = choose_session(&principal, request.session_id.clone());
        let session_id = session.id().to_owned();
        let texts = StartTexts::new(&request, &spec, search.as_ref());
        let start = Event::Start {
            run_id: run_id.clone(),
            session_id: session_id.clone(),
            context_handler_id: spec.handler,
            reasoning_requested: spec.budget.reasoning_effort.is_some(),
            citation_candidates: texts.candidates.as_ref().and_then(Value::as_array).cloned(),
            warning: texts.warning.clone(),
        };
        let new_run = NewRun {
            run_id: &run_id,
            session: &session,
            agent_id: agent,
            model: &spec.model,
            input_messages: &storable(json!([{ "role": "user", "content": request.message }])),
            retrieved_context: &texts.retrieved,
            lease_seconds: self.lease_duration.as_secs_f64(),
            history_bytes: history_bytes(&spec),
            claim: request.claim,
            awaited: request.awaited,
            request_id: request.request_id.as_deref(),
            first_events: &[start.to_json(1, chrono::Utc::now())],
            identity: &self.seal.seal_principal(&run_id, &principal),
            request: &storable(serde_json::to_value(&request).unwrap_or_default()),
            parent: parent.map(|parent| (parent.run_id.as_str(), parent.depth)),
            handler: spec.handler,
            search: search.as_ref().and(texts.search(&run_id, spec.handler)),
            warning: texts.warning.as_deref(),
            citation_candidates: texts.candidates.as_ref(),
            is_mirrored: spec.budget.is_mirrored,
        };
        let opened = self.environment.runs.open(&principal, &new_run).await?;
        let run = LeasedRun {
            principal,
            lease: RunLease { run_id: run_id.clone(), epoch: 1, is_mirrored: spec.budget.is_mirrored },
            agent_id: agent,
            session_id: session_id.clone(),
            is_new_session: opened.is_new_session,
            depth: parent.map_or(0, |parent| parent.depth),
            began: Instant::now(),
            request_id: request.request_id.clone(),
        };
        let signals = slot.activate(&run.lease, 1);
        self.drive(slot, signals, run, spec, conversation(opened.history, request), EarlierWork::default());
        Ok(StartedRun { run_id, session_id })
    }

    async fn resume(
        self: &Arc<Self>,
        reclaimed: ReclaimedRun,
        slot: RunSlot,
        signals: RunSignals,
    ) -> Result<(), StartError> {
        let damaged = |what: &str| StartError::Settings(format!("what was kept of its {what} cannot be read"));
        let restored = self.seal.restore_principal(&reclaimed.lease.run_id, &reclaimed.identity);
        let principal = Arc::new(restored.ok_or_else(|| damaged("caller"))?);
        let request: RunRequest = serde_json::from_value(reclaimed.request).map_err(|_| damaged("request"))?;
        let earlier = EarlierWork::read(reclaimed.journal.0).map_err(|_| damaged("journal"))?;
        let spec = self.spec(&principal, reclaimed.agent_id, &request, None).await?;
        let run = LeasedRun {
            principal,
            lease: reclaimed.lease,
            agent_id: reclaimed.agent_id,
            session_id: reclaimed.session_id,
            is_new_session: reclaimed.is_new_session,
            depth: request.parent.as_ref().map_or(0, |parent| parent.depth),
            began: Instant::now(),
            request_id: request.request_id.clone(),
        };
        let history = if run.is_new_session {
            Vec::new()
        } else {
            let bytes = history_bytes(&spec);
            self.environment.runs.history_before(&run.principal, &run.session_id, run.id(), bytes).await?
        };
        self.drive(slot, signals, run, spec, conversation(history, request), earlier);
        Ok(())
    }

    /// Works on a run in a task of its own.
    fn drive(
        self: &Arc<Self>,
        slot: RunSlot,
        (stored, stopped): RunSignals,
        run: LeasedRun,
        spec: RunSpec,
        conversation: Conversation,
        earlier: EarlierWork,
    ) {
        let environment = Arc::clone(&self.environment);
        let subagents: Arc<dyn SubagentStarter> = Arc::new(Subagents(Arc::clone(self)));
        let driver = Driver { environment, subagents, run, spec, conversation, earlier };
        let span = run_span(&driver.run);
        tokio::spawn(driver.drive(slot, stored, stopped).instrument(span));
    }

    /// Settles what the run's model may search, and makes the search that comes before it is asked. What was found is named in the
    /// request, so that a host which resumes the run reads the same passages, as the caller.
    async fn find_knowledge(
        &self,
        principal: &Arc<Principal>,
        agent: Uuid,
        request: &mut RunRequest,
    ) -> Result<Option<StartSearch>, StartError> {
        if request.knowledge.names_any() && !self.knowledge.is_served() {
            return Err(StartError::NoKnowledge);
        }
        let own = self.knowledge.of_agent(principal, agent).await?;
        request.knowledge.fix_searchable(own);
        if let Some(handler) = request.knowledge.handler {
            let found = self.knowledge.handlers().find(principal, handler).await?.ok_or(StartError::NoHandler)?;
            request.passages = passages::of_search(&found.retrieved_context);
            return Ok(None);
        }
        let question = (request.message.as_str(), !request.passages.is_empty());
        let purpose = SearchedFor { agent_id: Some(agent), request_id: request.request_id.as_deref() };
        let search = self.knowledge.search_first(principal, &request.knowledge, question, purpose).await;
        if let Some(search) = &search {
            request.knowledge.handler = Some(Uuid::new_v4());
            request.knowledge.bound(&search.bases);
            request.passages = passages::to_resume(&search.found);
        }
        Ok(search)
    }

    /// What a run goes by. `found` are the passages of the request where they have just been searched for; else they are read.
    async fn spec(
        &self,
        principal: &Arc<Principal>,
        agent: Uuid,
        request: &RunRequest,
        found: Option<Vec<Passage>>,
    ) -> Result<RunSpec, StartError> {
        let tools: &dyn ToolInvoker = &*self.environment.tools;
        let row = self.agents.find(principal, agent).await?.ok_or(StartError::Agent)?;
        let mut toolbox = Toolbox::new(tools, self.assignments.of_agent(principal, agent).await?);
        self.knowledge.join(principal, &request.knowledge.searchable, tools, &mut toolbox).await;
        let own_sources_only = request.knowledge.own_sources_only;
        let purpose = ReadFor { agent_id: Some(agent), request_id: request.request_id.clone(), own_sources_only };
        let passages = match found {
            Some(found) => found,
            None => passages::look_up(&self.passages, principal, &request.passages, purpose).await?,
        };
        let mut spec = RunSpec::new(row, toolbox, request, &passages, self.environment.models.default_model())?;
        spec.accesses = self.access.of_agent(agent).await?;
        spec.offer(tools.agent_tools(principal, agent).await?);
        Ok(spec)
    }
}

/// Begins runs below others.
#[derive(Debug)]
struct Subagents(Arc<RunStarter>);

impl SubagentStarter for Subagents {
    fn start_subagent<'a>(
        &'a self,
        principal: &'a Arc<Principal>,
        agent: Uuid,
        request: RunRequest,
    ) -> BoxFuture<'a, Result<(), StartError>> {
        async move { self.0.start(principal, agent, request).await.map(drop) }.boxed()
    }
}

impl EarlierWork {
    /// Reads a run's journal.
    fn read(journal: Vec<Value>) -> Result<Self, serde_json::Error> {
        let entries: Vec<WrittenEntry> = journal.into_iter().map(serde_json::from_value).collect::<Result<_, _>>()?;
        Ok(Self {
            entries: entries.len(),
            worked: Duration::from_millis(entries.last().map_or(0, |last| last.worked_ms)),
            transcript: Transcript::restore(entries.into_iter().map(|written| written.entry)),
            is_resumed: true,
        })
    }
}

fn conversation(stored: Vec<Vec<Value>>, request: RunRequest) -> Conversation {
    Conversation::new(stored, request.history, request.message)
}

fn history_bytes(spec: &RunSpec) -> i64 {
    i64::from(spec.budget.context_tokens) * BYTES_PER_TOKEN
}

/// Users never name a new session: an id that somebody planted could become somebody else's.
fn choose_session(principal: &Principal, asked: Option<String>) -> RunSession {
    match asked {
        None => RunSession::New(ids::session_id()),
        Some(id) if principal.is_service() => RunSession::Named(id),
        Some(id) => RunSession::Existing(id),
    }
}

/// The span of a run in a trace: under the request that began it, or by itself where the run was taken over.
fn run_span(run: &LeasedRun) -> Span {
    let span = tracing::info_span!(target: trace::TARGET, "invoke_agent");
    if trace::is_on() {
        trace::attribute(&span, "gen_ai.operation.name", "invoke_agent");
        trace::attribute(&span, "gen_ai.agent.id", run.agent_id.to_string());
        trace::attribute(&span, "gen_ai.conversation.id", run.session_id.clone());
        trace::attribute(&span, "behalf.run.id", run.id().to_owned());
        trace::attribute_of(&span, "enduser.id", run.principal.subject().map(|user| user.to_string()));
    }
    span
}
