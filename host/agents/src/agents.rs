//! Puts the parts of this feature together.

use std::sync::Arc;
use std::time::Duration;

use behalf_caller_db::CallerDb;
use behalf_contracts::{Retrieval, RunAccounting, ToolInvoker};
use behalf_host_db::{HostDb, Sealer};
use behalf_identity::PrincipalSeal;
use behalf_jobs::Jobs;
use behalf_models::Models;
use behalf_queue::Workers;
use behalf_sandbox::Sandbox;

use crate::assignment::Assigner;
use crate::direct::DirectCaller;
use crate::knowledge::AgentKnowledge;
use crate::provider_access::ProviderAccess;
use crate::run::{ActiveRuns, LeaseKeeper, RunControl, RunEnvironment, RunStarter, RunSupervisor};
use crate::store::{
    AgentBaseStore, AgentStore, ApprovalStore, AssignmentStore, AwaitedRunStore, ContextHandlerStore, FeedbackStore,
    HostNumber, JournalStore, PassageReader, ProviderKeyStore, RunEventStore, RunLeaseStore, RunLimits, RunNotifier,
    RunStore, SessionStore, retention,
};

/// A host that is only busy would lose a shorter lease.
const MIN_LEASE: Duration = Duration::from_secs(2);

/// How often it is looked for what is too old.
const PRUNE: Duration = Duration::from_hours(1);

/// The other parts of the host that agents need.
#[derive(Debug)]
pub struct AgentsParts {
    /// The host's own transactions.
    pub host_db: HostDb,
    /// The database as callers see it, for passages that a request names by id.
    pub caller_db: CallerDb,
    /// Seals agents' own keys for model providers.
    pub sealer: Arc<Sealer>,
    /// Stores the callers of runs, so that another host can resume them.
    pub principal_seal: Arc<PrincipalSeal>,
    /// Checks the addresses of model providers.
    pub sandbox: Arc<Sandbox>,
    /// The models.
    pub models: Models,
    /// Calls tools.
    pub tools: Arc<dyn ToolInvoker>,
    /// Searches knowledge bases; `None` where this host serves none.
    pub retrieval: Option<Arc<dyn Retrieval>>,
    /// Counts and charges runs.
    pub accounting: Arc<dyn RunAccounting>,
}

/// How runs are limited and kept.
#[derive(Clone, Copy, Debug)]
pub struct AgentsOptions {
    /// How many runs may go on at once, on all hosts together.
    pub run_limits: RunLimits,
    /// Lease duration of a run: another host resumes the run when its host has not renewed the lease for so long. At least two
    /// seconds.
    pub lease_duration: Duration,
    /// How long a run that is to begin waits until this host has a slot for it.
    pub max_wait: Duration,
    /// For how many days the pieces of answers are kept; for ever where 0.
    pub pieces_days: u32,
    /// For how many days sessions are kept that nobody uses; for ever where 0.
    pub sessions_days: u32,
}

/// The agents of this host.
#[derive(Debug)]
pub struct Agents {
    pub(crate) store: AgentStore,
    pub(crate) assignments: AssignmentStore,
    pub(crate) assigner: Assigner,
    pub(crate) bases: AgentBaseStore,
    pub(crate) knowledge: AgentKnowledge,
    pub(crate) sessions: SessionStore,
    pub(crate) feedback: FeedbackStore,
    pub(crate) provider_keys: ProviderKeyStore,
    pub(crate) access: ProviderAccess,
    pub(crate) direct: DirectCaller,
    pub(crate) starter: Arc<RunStarter>,
    pub(crate) environment: Arc<RunEnvironment>,
}

impl Agents {
    /// Puts the parts together, and starts the jobs: they look after runs, also after those that an earlier host left behind,
    /// and exchange notifications with other hosts. Needs a running Tokio runtime.
    pub fn start(parts: AgentsParts, options: AgentsOptions, jobs: &Jobs, workers: &mut Workers) -> Arc<Self> {
        let db = &parts.host_db;
        prune(db, options, workers);
        let (store, assignments) = (AgentStore::new(db.clone()), AssignmentStore::new(db.clone()));
        let (bases, handlers) = (AgentBaseStore::new(db.clone()), ContextHandlerStore::new(db.clone()));
        let knowledge = AgentKnowledge::new(parts.retrieval.clone(), bases.clone(), handlers);
        let provider_keys = ProviderKeyStore::new(db.clone(), Arc::clone(&parts.sealer));
        let access = ProviderAccess::new(provider_keys.clone(), Arc::clone(&parts.sandbox));
        let lease_duration = options.lease_duration.max(MIN_LEASE);
        let environment = Arc::new(environment(&parts, options.run_limits, jobs));
        LeaseKeeper::start(db, environment.host, &environment.active, lease_duration, jobs);
        let starter = Arc::new(RunStarter {
            environment,
            agents: store.clone(),
            assignments: assignments.clone(),
            knowledge: knowledge.clone(),
            passages: PassageReader::new(parts.caller_db),
            access: access.clone(),
            seal: parts.principal_seal,
            lease_duration,
            max_wait: options.max_wait,
        });
        RunSupervisor::start(&starter, jobs);
        Arc::new(Self {
            assigner: Assigner::new(Arc::clone(&parts.tools), store.clone(), assignments.clone()),
            direct: DirectCaller::new(Arc::clone(&parts.tools), store.clone(), assignments.clone(), knowledge.clone()),
            bases,
            knowledge,
            store,
            assignments,
            sessions: SessionStore::new(db.clone()),
            feedback: FeedbackStore::new(db.clone()),
            provider_keys,
            access,
            environment: Arc::clone(&starter.environment),
            starter,
        })
    }

    /// The model of agents that name none.
    pub(crate) fn default_model(&self) -> &str {
        self.environment.models.default_model()
    }

    /// Begins no more runs, lets those there are end within `grace`, and leaves the rest to other hosts. The jobs go on
    /// meanwhile: stop them afterwards.
    pub async fn shutdown(&self, grace: Duration) {
        self.environment.active.close(grace).await;
    }
}

/// Deletes what operators do not want to keep.
fn prune(db: &HostDb, options: AgentsOptions, workers: &mut Workers) {
    let AgentsOptions { pieces_days, sessions_days, .. } = options;
    if pieces_days > 0 {
        let db = db.clone();
        workers.every("prune-run-events", PRUNE, move || {
            let db = db.clone();
            async move { retention::prune_pieces(&db, pieces_days).await }
        });
    }
    if sessions_days > 0 {
        let db = db.clone();
        workers.every("prune-runs", PRUNE, move || {
            let db = db.clone();
            async move { retention::prune_sessions(&db, sessions_days).await }
        });
    }
}

fn environment(parts: &AgentsParts, limits: RunLimits, jobs: &Jobs) -> RunEnvironment {
    let db = &parts.host_db;
    let notifier = RunNotifier::start(db, jobs);
    let active = Arc::new(ActiveRuns::default());
    let runs = RunStore::new(db.clone(), Arc::clone(&notifier), Arc::clone(&parts.accounting), limits);
    let events = RunEventStore::new(db.clone(), Arc::clone(&notifier));
    RunEnvironment {
        tools: Arc::clone(&parts.tools),
        accounting: Arc::clone(&parts.accounting),
        models: parts.models.clone(),
        control: RunControl::new(runs.clone(), events.clone(), Arc::clone(&notifier), Arc::clone(&active)),
        active,
        runs,
        events,
        journals: JournalStore::new(db.clone()),
        leases: RunLeaseStore::new(db.clone()),
        approvals: ApprovalStore::new(db.clone(), Arc::clone(&notifier)),
        awaited: AwaitedRunStore::new(db.clone()),
        host: HostNumber::draw(),
        handlers: ContextHandlerStore::new(db.clone()),
    }
}
