//! Puts the rooms together, serves, and shuts down.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::net::TcpListener;
use url::Url;

use crate::agents::Agents;
use crate::config::{ConfigError, PluginSignatures, Settings};
use crate::db::{Billing, ConnectError, Db, DbOptions, Prices, RunLimits, Secrets};
use crate::http::{AppState, Limits, router};
use crate::identity::{JwksError, JwksSource, Verifier, VerifierOptions};
use crate::models::{ApiKey, ModelSettings, Models, SettingsError};
use crate::sandbox::{Compiler, Sandbox, SandboxError, SandboxOptions};
use crate::telemetry::{TelemetryError, init_metrics};
use crate::tools::{KeyError, RegisterError, RegistryError, Signatures, Tools, VouchError};

/// How long requests may go on after a signal to stop.
const GRACE: Duration = Duration::from_secs(10);

/// How long agents' runs may go on, and then as long again to be left to the next host.
const RUN_GRACE: Duration = Duration::from_secs(4);

/// How often old idempotency keys are deleted.
const PRUNE: Duration = Duration::from_mins(10);

/// HS256 wants as many secret bytes as its hash has (RFC 7518, section 3.2).
const MIN_SECRET_BYTES: usize = 32;

/// Why the host does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// A setting is missing or wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] ConnectError),
    /// The key set cannot be used.
    #[error(transparent)]
    Keys(#[from] JwksError),
    /// The model provider's settings are wrong.
    #[error("the BEHALF_MODEL_… settings cannot be used")]
    Models(#[from] SettingsError),
    /// No sandbox.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// No registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A plugin that comes with the host does not register.
    #[error("cannot register the bundled plugins")]
    Bundled(#[from] RegisterError),
    /// The keys that plugins are signed with cannot be used.
    #[error(transparent)]
    Signatures(#[from] KeyError),
    /// Nobody would know whom its custom tools are called for.
    #[error("cannot vouch for callers")]
    Vouch(#[from] VouchError),
    /// No metrics.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// The address is taken or not ours.
    #[error("cannot listen on {0}; is another host running there? (BEHALF_BIND chooses the address)")]
    Bind(SocketAddr, #[source] std::io::Error),
    /// Serving stopped.
    #[error("serving stopped")]
    Serve(#[source] std::io::Error),
}

/// A host that is ready to serve.
#[derive(Debug)]
pub struct App {
    listener: TcpListener,
    state: AppState,
}

impl App {
    /// Builds every room. `compiler` is this program's own path, which compiles uploads in a process of its own.
    pub async fn build(settings: Settings, compiler: Option<PathBuf>) -> Result<Self, StartError> {
        let verifier = verifier(&settings)?;
        let limits = Limits::new(&settings)?;
        let required = settings.plugin_signatures == PluginSignatures::Required;
        let signatures = Signatures::load(&settings.plugin_keys, required)?;
        let billing = billing(&settings)?;
        let db = Db::connect(&DbOptions {
            billing,
            secrets: Arc::new(secrets(&settings)?),
            host: needed(settings.host_database_url.as_ref(), "HOST_DATABASE_URL")?.clone(),
            tools: needed(settings.tool_database_url.as_ref(), "TOOL_DATABASE_URL")?.clone(),
            host_connections: settings.host_connections,
            tool_connections: settings.tool_connections,
            run_limits: RunLimits {
                user: Some(settings.concurrent_runs_user).filter(|runs| *runs > 0),
                project: Some(settings.concurrent_runs_project).filter(|runs| *runs > 0),
            },
        })
        .await?;
        let sandbox = Arc::new(Sandbox::new(SandboxOptions {
            concurrent_calls: settings.concurrent_calls.max(1),
            cache_dir: settings.state_dir.join("compiled"),
            compiler: compiler.map_or(Compiler::Here, Compiler::Process),
            http_allow_private: settings.http_allow_private.clone(),
            workspace_dir: settings.state_dir.join("workspaces"),
        })?);
        let tools = Tools::start_with(db.clone(), sandbox, settings.exposed_schemas.clone(), signatures).await?;
        tools.register_bundled().await?;
        tools.warm_up().await;
        let listener =
            TcpListener::bind(settings.bind).await.map_err(|error| StartError::Bind(settings.bind, error))?;
        tools.vouch(&issuer(&settings, listener.local_addr().ok())).await?;
        let agents = Agents::new(
            db.clone(),
            Arc::clone(&tools),
            Arc::new(models(&settings)?),
            Duration::from_secs(settings.run_lease_seconds),
        );
        let state = AppState {
            settings: Arc::new(settings),
            verifier: Arc::new(verifier.with_delegations(Arc::new(db.clone()))),
            db,
            tools,
            agents,
            limits: Arc::new(limits),
            metrics: init_metrics()?,
        };
        Ok(Self { listener, state })
    }

    /// Where it listens.
    pub fn address(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }

    /// What handlers reach; tests look inside.
    pub fn state(&self) -> &AppState {
        &self.state
    }

    /// Serves until `stop` is done, lets requests end, and writes what is still to be written.
    pub async fn serve(self, stop: impl Future<Output = ()> + Send + 'static) -> Result<(), StartError> {
        let (db, agents) = (self.state.db.clone(), Arc::clone(&self.state.agents));
        let closing = Arc::clone(&agents);
        let (stopping, stopped) = tokio::sync::watch::channel(false);
        let signal = async move {
            stop.await;
            stopping.send(true).ok();
            // Streams of events end with their runs, so the server need not wait for their readers.
            tokio::spawn(async move { closing.shutdown(RUN_GRACE).await });
        };
        let pruning = tokio::spawn(prune(self.state.db.clone()));
        let service = router(self.state).into_make_service_with_connect_info::<SocketAddr>();
        let server = axum::serve(self.listener, service).with_graceful_shutdown(signal);
        let overdue = async move {
            let mut stopped = stopped;
            let _ = stopped.wait_for(|stopped| *stopped).await;
            tokio::time::sleep(GRACE).await;
        };
        let ended = tokio::select! {
            ended = server.into_future() => ended,
            () = overdue => Ok(()),
        };
        pruning.abort();
        agents.shutdown(RUN_GRACE).await;
        db.close().await;
        ended.map_err(StartError::Serve)
    }
}

fn secrets(settings: &Settings) -> Result<Secrets, ConfigError> {
    let key = |key: &Option<crate::config::Secret>| key.as_ref().map(|key| key.expose().to_owned());
    let (current, previous) = (key(&settings.secrets_key), key(&settings.secrets_key_previous));
    Secrets::new(current.as_deref(), previous.as_deref())
        .map_err(|error| ConfigError::Value(format!("secrets_key and secrets_key_previous: {error}")))
}

fn billing(settings: &Settings) -> Result<Billing, ConfigError> {
    let prices = settings.prices.as_ref().map(Prices::read).transpose();
    Ok(Billing {
        mode: settings.credits,
        account: settings.credits_account,
        prices: prices.map_err(|error| ConfigError::Value(format!("prices: {error}")))?,
    })
}

/// Deletes idempotency keys that are too old, now and then.
async fn prune(db: Db) {
    loop {
        tokio::time::sleep(PRUNE).await;
        if let Err(error) = db.prune_keys().await {
            tracing::warn!(error = %error, "cannot delete old idempotency keys; trying again later");
        }
    }
}

/// How assertions name this host: as its clients do.
fn issuer(settings: &Settings, bound: Option<SocketAddr>) -> String {
    match &settings.public_url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => format!("http://{}", bound.unwrap_or(settings.bind)),
    }
}

fn models(settings: &Settings) -> Result<Models, SettingsError> {
    Models::new(ModelSettings {
        base_url: settings.model_base_url.clone(),
        api_key: settings.model_api_key.as_ref().map(|key| ApiKey::new(key.expose())),
        default_model: settings.model_default.clone(),
        ..ModelSettings::default()
    })
}

fn verifier(settings: &Settings) -> Result<Verifier, StartError> {
    let secret = settings.jwt_secret.as_ref().map(|secret| secret.expose().as_bytes().to_vec());
    if secret.as_ref().is_some_and(|secret| secret.len() < MIN_SECRET_BYTES) {
        return Err(
            ConfigError::Value("jwt_secret needs at least 32 bytes (`behalf keys` makes one)".to_owned()).into()
        );
    }
    let jwks = match (&settings.jwks_url, &settings.jwks_file) {
        (Some(url), None) => {
            Some(JwksSource::Url(Url::parse(url).map_err(|error| ConfigError::Value(format!("jwks_url: {error}")))?))
        }
        (None, Some(path)) => Some(JwksSource::File(path.clone())),
        (None, None) => None,
        (Some(_), Some(_)) => return Err(ConfigError::Value("set jwks_url or jwks_file, not both".to_owned()).into()),
    };
    if secret.is_none() && jwks.is_none() {
        return Err(ConfigError::Missing(
            "JWT_SECRET",
            "or BEHALF_JWKS_URL or BEHALF_JWKS_FILE: tokens cannot be verified without",
        )
        .into());
    }
    let text = |secret: &Option<crate::config::Secret>| secret.as_ref().map(|secret| secret.expose().to_owned());
    Ok(Verifier::new(VerifierOptions {
        secret,
        jwks,
        audience: settings.jwt_audience.clone(),
        issuer: settings.jwt_issuer.clone(),
        anon_key: text(&settings.anon_key),
        service_key: text(&settings.service_role_key),
    })?)
}

fn needed<'a, T>(value: Option<&'a T>, name: &'static str) -> Result<&'a T, ConfigError> {
    value.ok_or(ConfigError::Missing(name, "see the README's table of settings"))
}
