//! Puts the features together, serves them, and shuts them down. The one list of features.

mod auth;
mod embeddings;
mod error;
mod files;
mod from_settings;
mod front;
mod health;
mod issuers;
mod jobs;
mod knowledge;
mod mapped_users;
mod memory;
mod openapi;
mod options;
mod realtime;
mod signing_keys;
mod sources;
mod stopping;
mod storage;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use behalf_accounts::{Accounts, AuditReader, Billing, CreditStore, Delegations, RunAccounts, UsageStore};
use behalf_agents::{Agents, AgentsParts};
use behalf_bundled::BUNDLED;
use behalf_caller_db::{CallerDb, ExposureWatch, SessionLimit, ToolSessions};
use behalf_config::Settings;
use behalf_console::ChatDemo;
use behalf_host_db::{HostDb, Sealer};
use behalf_identity::{Issuers, Verifier};
use behalf_jobs::{Jobs, Next};
use behalf_mcp::McpServer;
use behalf_queue::{RunningWorkers, Workers};
use behalf_realtime::Realtime;
use behalf_rest::{Rest, RestOptions};
use behalf_sandbox::Sandbox;
use behalf_sources::Sources;
use behalf_telemetry::{Metrics, init_metrics};
use behalf_tools::{BundledPlugin, Signatures, Tools, ToolsOptions};
use behalf_web::{Route, Routes, Web, declared};
use utoipa::openapi::OpenApi;

pub(crate) use auth::token_hook;
pub(crate) use embeddings::{embedding_options, embedding_weights};
pub use error::StartError;
pub(crate) use from_settings::FromSettings;
pub(crate) use front::Front;
use health::Health;
pub(crate) use issuers::{entries as issuer_entries, issuers};
pub use jobs::Owners;
pub(crate) use mapped_users::subject_form;
pub(crate) use options::sealer;
pub use stopping::Stopping;
use stopping::{IsStopping, Work};
pub(crate) use storage::{addresses_need_a_secret, blobs as blob_options, place as storage_place};

/// How long background loops may take to stop.
const JOBS_GRACE: Duration = Duration::from_secs(5);

/// How often measured times are sorted into their buckets.
const SORT_TIMES: Duration = Duration::from_secs(5);

/// What the features share, for tests and measurements.
#[derive(Clone)]
pub struct AppState {
    /// The host's own transactions.
    pub host_db: HostDb,
    /// The database as callers see it.
    pub caller_db: CallerDb,
    /// What every route shares.
    pub web: Web,
    /// The tools.
    pub tools: Tools,
    /// The agents.
    pub agents: Arc<Agents>,
    /// The description of every route.
    pub api: Arc<OpenApi>,
}

impl std::fmt::Debug for AppState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AppState")
    }
}

impl AppState {
    /// Every route of this host, in order of paths.
    pub fn routes(&self) -> Vec<Route> {
        declared(&self.api)
    }
}

/// A host that is ready to serve.
#[derive(Debug)]
pub struct App {
    front: Front,
    state: AppState,
    is_stopping: IsStopping,
    jobs: Jobs,
    workers: RunningWorkers,
    sources: Option<Sources>,
    realtime: Option<Realtime>,
}

impl App {
    /// Listens, and builds every feature behind it; until then, requests hear that the host starts. `compiler` is this program's
    /// own path, which compiles uploads in a process of its own.
    pub async fn build(settings: Settings, compiler: Option<PathBuf>) -> Result<Self, StartError> {
        Self::build_limited(settings, compiler, None).await
    }

    /// The same, on a database server that this program started: `limit` bounds the memory of each session of tools.
    pub async fn build_limited(
        settings: Settings,
        compiler: Option<PathBuf>,
        limit: Option<SessionLimit>,
    ) -> Result<Self, StartError> {
        Self::build_with_chat(settings, compiler, limit, None).await
    }

    /// The same with the page of the chat demo, if `chat` is one. The host then keeps the texts of statements, for the users as whom
    /// they ran.
    pub async fn build_with_chat(
        settings: Settings,
        compiler: Option<PathBuf>,
        limit: Option<SessionLimit>,
        chat: Option<ChatDemo>,
    ) -> Result<Self, StartError> {
        let parts = FromSettings::read(&settings)?;
        let front = Front::open(&settings).await?;
        Self::build_behind(front, parts, &settings, compiler, (limit, chat)).await
    }

    /// The same behind an address that listens already.
    pub(crate) async fn build_behind(
        front: Front,
        parts: FromSettings,
        settings: &Settings,
        compiler: Option<PathBuf>,
        (limit, chat): (Option<SessionLimit>, Option<ChatDemo>),
    ) -> Result<Self, StartError> {
        let FromSettings { verifier, limits, signatures, billing, sealer, models, rest, mut auth, .. } = parts;
        let (files, knowledge, realtime) = (parts.files, parts.knowledge, parts.realtime);
        let (jobs, is_stopping) = (Jobs::new(), IsStopping::default());
        // Before anything that is counted begins.
        let metrics = start_metrics(&jobs)?;
        let (host_db, caller_db) = connect((settings, &front), limit, &jobs).await?;
        let delegations = Delegations::new(host_db.clone());
        let local_keys = auth::load_keys(auth.as_mut(), &host_db, &sealer, &jobs).await?;
        let verifier = verifier.with_delegations(Arc::new(delegations.clone())).with_local_keys(local_keys);
        let (verifier, auth) = auth::with_sessions(verifier, auth, &host_db).await?;
        watch_identities(&verifier, &host_db, settings, &jobs).await;
        let (mcp, mcp_metadata) = mcp(settings, &front, verifier.issuers());
        let mut workers = jobs::workers(&host_db, &verifier.seal(), settings);
        let kept_days = settings.retention.retention_idempotency;
        let web = Web::new(verifier, Arc::new(limits), host_db.clone(), options::claims_max_age(settings), kept_days);
        let accounts = accounts(&web, &host_db, &caller_db, &delegations, &billing);
        let databases = (&host_db, &caller_db);
        let files = files.open(compiler, (settings, &front), &web, databases, (&jobs, &mut workers)).await?;
        let tools = tools_options(databases, (&files.sandbox, &sealer), &accounts, signatures, settings);
        let tools = start_tools(tools, &front, settings, &jobs).await?;
        let auth = auth::routes(auth, settings, &front, &web, &host_db, &sealer, (&jobs, &mut workers))?;
        let shared = (&web, &host_db, &caller_db);
        let memories = memory::start(&knowledge.embeddings, shared, &files.memory);
        let knowledge = knowledge::start(knowledge, shared, &models, &files, (&jobs, &mut workers));
        let agents = AgentsParts {
            host_db: host_db.clone(),
            caller_db: caller_db.clone(),
            sealer,
            principal_seal: web.verifier.seal(),
            sandbox: Arc::clone(&files.sandbox),
            models,
            tools: Arc::new(tools.caller.clone()),
            retrieval: Some(Arc::new(knowledge.clone())),
            accounting: Arc::new(RunAccounts::new(delegations, billing)),
        };
        let agents = Agents::start(agents, options::agents(settings), &jobs, &mut workers);
        jobs::prune(&host_db, &web, &caller_db, settings, &mut workers);
        let realtime = realtime::start(realtime, settings, shared, (&jobs, &mut workers));

        let routes = [
            health::routes(health(databases, tools.clone(), settings, (&jobs, metrics, &is_stopping))?),
            behalf_tools::routes(web.clone(), tools.clone(), mcp.clone()),
            behalf_agents::routes(Arc::clone(&agents), web.clone(), mcp),
            behalf_accounts::routes(accounts),
            behalf_queue::routes(web.clone(), workers.queue()),
            rest_routes(rest, (settings, &front), &web, databases, &jobs, &mut workers).await?,
            auth,
            files.routes(settings),
            behalf_knowledge::routes(knowledge),
            memories,
            realtime::routes(realtime.clone(), settings),
            chat.map(|chat| behalf_console::routes(chat, web.clone(), caller_db.trace_statements()))
                .unwrap_or_default(),
            mcp_metadata,
        ];
        let (service, document) = openapi::serve(routes);
        let state = AppState { host_db, caller_db, web, tools, agents, api: document };
        front.becomes_ready(service);
        warm_up(&state.tools, &jobs);
        Ok(Self { front, state, is_stopping, workers: workers.start(&jobs), jobs, sources: files.sources, realtime })
    }

    /// Where it listens.
    pub fn address(&self) -> Option<SocketAddr> {
        self.front.address()
    }

    /// What the features share.
    pub fn state(&self) -> &AppState {
        &self.state
    }

    /// Serves until `stop` is done, lets requests and runs end, stops the background loops, and writes the rest of the audit log.
    pub async fn serve(self, stop: impl Future<Output = Stopping> + Send + 'static) -> Result<(), StartError> {
        let Self { front, state, is_stopping, jobs, workers, sources, realtime } = self;
        let AppState { host_db, caller_db, agents, tools, .. } = state;
        let ended = Work { front, is_stopping, agents, workers, sources, realtime }.until_stopped(stop).await;
        caller_db.close().await;
        jobs.shutdown(JOBS_GRACE).await;
        tools.signer.retire().await;
        host_db.close().await;
        ended.map_err(StartError::Serve)
    }
}

async fn connect(
    (settings, front): (&Settings, &Front),
    limit: Option<SessionLimit>,
    jobs: &Jobs,
) -> Result<(HostDb, CallerDb), StartError> {
    front.waits_for("the database");
    let (host, tools) = options::addresses(settings)?;
    let logins = options::logins(settings)?;
    let host_db = HostDb::connect(&host, settings.host_connections).await?;
    let sessions =
        ToolSessions { logins, connections: settings.tool_connections, max_wait: options::max_wait(settings), limit };
    let caller_db = CallerDb::connect(&host_db, &tools, sessions, jobs).await?;
    Ok((host_db, caller_db))
}

/// The server of MCP for tools and agents, and the routes that describe it.
fn mcp(settings: &Settings, front: &Front, issuers: &Issuers) -> (McpServer, Routes) {
    let options = || options::mcp(settings, front.address(), issuers);
    (McpServer::new(options()), behalf_mcp::metadata_routes(options()))
}

fn tools_options(
    (host_db, caller_db): (&HostDb, &CallerDb),
    (sandbox, sealer): (&Arc<Sandbox>, &Arc<Sealer>),
    accounts: &Accounts,
    signatures: Signatures,
    settings: &Settings,
) -> ToolsOptions {
    ToolsOptions {
        host_db: host_db.clone(),
        caller_db: caller_db.clone(),
        sandbox: Arc::clone(sandbox),
        credits: Some(Arc::new(accounts.credits.clone())),
        exposed_schemas: settings.exposed_schemas.clone(),
        signatures,
        sealer: Arc::clone(sealer),
    }
}

/// Reads the registry, registers the plugins that come with the host, and publishes the key of its assertions.
async fn start_tools(
    parts: ToolsOptions,
    front: &Front,
    settings: &Settings,
    jobs: &Jobs,
) -> Result<Tools, StartError> {
    front.waits_for("the list of tools");
    let tools = Tools::start(parts, jobs).await?;
    front.waits_for("the plugins that come with it");
    tools.installer.register_bundled(bundled()).await?;
    front.waits_for("its key for assertions");
    let cache = Duration::from_secs(settings.key_set_cache_seconds);
    tools.signer.start(&options::issuer(settings, front.address()), cache, jobs).await?;
    Ok(tools)
}

/// The routes of `/rest/v1`, or what they answer where it is served elsewhere.
async fn rest_routes(
    options: Option<RestOptions>,
    (settings, front): (&Settings, &Front),
    web: &Web,
    (host_db, caller_db): (&HostDb, &CallerDb),
    jobs: &Jobs,
    workers: &mut Workers,
) -> Result<Routes, StartError> {
    let Some(options) = options else { return Ok(behalf_rest::elsewhere(settings.rest.address())) };
    front.waits_for("the list of the app's tables");
    Ok(behalf_rest::routes(Rest::start(web.clone(), host_db, caller_db.clone(), options, jobs, workers).await?))
}

/// Loads the plugins while the host serves. A call whose plugin is not loaded yet loads it.
fn warm_up(tools: &Tools, jobs: &Jobs) {
    let caller = tools.caller.clone();
    jobs.spawn("warm-up", |stop| async move {
        tokio::select! {
            () = stop.requested() => {}
            () = caller.warm_up() => {}
        }
    });
}

/// What is known of the host's health: the database answers, tools can be called, no table is open to everybody.
fn health(
    (host_db, caller_db): (&HostDb, &CallerDb),
    tools: Tools,
    settings: &Settings,
    (jobs, metrics, is_stopping): (&Jobs, Metrics, &IsStopping),
) -> Result<Health, StartError> {
    let exposure = watch_exposure(host_db, settings, jobs)?;
    Ok(Health::new((host_db.clone(), caller_db.clone()), tools, exposure, metrics, is_stopping.clone()))
}

fn watch_exposure(host_db: &HostDb, settings: &Settings, jobs: &Jobs) -> Result<ExposureWatch, StartError> {
    let scope = options::watched(settings, options::logins(settings)?);
    let period = Duration::from_secs(settings.exposure_check_seconds);
    Ok(ExposureWatch::start(host_db, scope, period, jobs))
}

fn accounts(
    web: &Web,
    host_db: &HostDb,
    caller_db: &CallerDb,
    delegations: &Delegations,
    billing: &Arc<Billing>,
) -> Accounts {
    let log = caller_db.audit().clone();
    Accounts {
        web: web.clone(),
        delegations: delegations.clone(),
        credits: CreditStore::new(host_db.clone(), Arc::clone(billing)),
        usage: UsageStore::new(host_db.clone(), log.clone()),
        audit: AuditReader::new(host_db.clone(), log),
    }
}

fn bundled() -> Vec<BundledPlugin> {
    let plugin = |plugin: &behalf_bundled::BundledPlugin| BundledPlugin {
        name: plugin.name,
        component: plugin.component,
        manifest: plugin.manifest,
    };
    BUNDLED.iter().map(plugin).collect()
}

fn start_metrics(jobs: &Jobs) -> Result<Metrics, StartError> {
    let metrics = init_metrics()?;
    let sorted = metrics.clone();
    jobs.every("sort-times", SORT_TIMES, move || {
        sorted.sort_times();
        std::future::ready(Ok::<_, std::convert::Infallible>(Next::Continue))
    });
    Ok(metrics)
}

/// Keeps up with what is said elsewhere of users and keys.
async fn watch_identities(verifier: &Arc<Verifier>, host_db: &HostDb, settings: &Settings, jobs: &Jobs) {
    mapped_users::watch(verifier, host_db, jobs).await;
    refresh_keys(verifier, options::jwks_refresh(settings), jobs);
}

/// Fetches the public keys again and again, so that a withdrawn one stops working although nobody asks for another.
fn refresh_keys(verifier: &Arc<Verifier>, period: Duration, jobs: &Jobs) {
    if !verifier.fetches_keys() {
        return;
    }
    let verifier = Arc::clone(verifier);
    jobs.every("refresh-keys", period, move || {
        let verifier = Arc::clone(&verifier);
        async move { verifier.refresh_keys().await.map(|()| Next::Continue) }
    });
}
