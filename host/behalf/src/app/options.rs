//! The options of foundations and features, made from the settings.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use behalf_accounts::{Billing, CreditsAccount, CreditsMode, PriceList};
use behalf_agents::{AgentsOptions, RunLimits};
use behalf_caller_db::doctor::Scope;
use behalf_config::{ConfigError, Face, JwtAlgorithm, PluginSignatures, RestOpenApi, RestTxEnd, Secret, Settings};
use behalf_host_db::{LoginNames, Sealer, most_connections};
use behalf_identity::{Issuers, JwksSource, PreviousKeys, Verifier, VerifierOptions};
use behalf_mcp::McpOptions;
use behalf_models::{ApiKey, ModelSettings};
use behalf_pgwire::Target;
use behalf_rest::RestOptions;
use behalf_rest_plan::{Hook, OpenApiMode, TxEnd};
use behalf_sandbox::{Compiler, KnowledgeSearch, LateSlot, MemoryStore, ObjectStore, SandboxOptions};
use behalf_storage::{Storage, ToolObjects};
use behalf_tools::{KeyError, Signatures};
use behalf_web::{ClientBounds, LimitOptions, ProxyError};
use url::Url;

use super::StartError;
use super::issuers::issuers;

/// HS256 wants as many secret bytes as its hash has (RFC 7518, section 3.2).
const MIN_SECRET_BYTES: usize = 32;

/// A larger skew would let expired tokens live on.
const MAX_CLOCK_SKEW_SECONDS: u64 = 300;

/// Users of this host and of this issuer could have the same id.
pub(super) fn two_with_ids(issuer: &str) -> ConfigError {
    value(format!(
        "issuers: {issuer} has the subject `uuid`, and so have the users of /auth/v1; use `mapped`, or AUTH=off"
    ))
}

fn value(text: String) -> ConfigError {
    ConfigError::Value(text)
}

fn text(secret: Option<&Secret>) -> Option<String> {
    secret.map(|secret| secret.expose().to_owned())
}

/// The host's address, and the template of the tools'.
pub(super) fn addresses(settings: &Settings) -> Result<(String, Target), StartError> {
    let needed = |value: Option<&Secret>, name: &'static str| {
        text(value).ok_or(ConfigError::Missing(name, "docs/settings.md lists every setting"))
    };
    let host = needed(settings.host_database_url.as_ref(), "HOST_DATABASE_URL")?;
    let tools = needed(settings.tool_database_url.as_ref(), "TOOL_DATABASE_URL")?;
    Ok((host, Target::parse(&tools)?))
}

/// The names of the database's logins.
pub(super) fn logins(settings: &Settings) -> Result<LoginNames, ConfigError> {
    LoginNames::new(&settings.login_prefix).map_err(|error| value(error.to_string()))
}

/// What a running host looks at again and again.
pub(super) fn watched(settings: &Settings, logins: LoginNames) -> Scope {
    let connections = settings.tool_connections.saturating_add(most_connections(settings.host_connections) as usize);
    Scope {
        schemas: settings.exposed_schemas.clone(),
        host_login: logins.host(),
        logins,
        connections: i32::try_from(connections).unwrap_or(i32::MAX),
        try_policies: false,
    }
}

pub(super) fn verifier(settings: &Settings) -> Result<Verifier, StartError> {
    let secret = text(settings.jwt_secret.as_ref()).map(String::into_bytes);
    if secret.as_ref().is_some_and(|secret| secret.len() < MIN_SECRET_BYTES) {
        return Err(value("jwt_secret needs at least 32 bytes (`behalf keys` makes one)".to_owned()).into());
    }
    let previous = PreviousKeys {
        secret: text(settings.jwt_secret_previous.as_ref()).map(String::into_bytes),
        anon_key: text(settings.anon_key_previous.as_ref()),
        service_key: text(settings.service_role_key_previous.as_ref()),
    };
    if previous.secret.as_ref().is_some_and(|secret| secret.len() < MIN_SECRET_BYTES) {
        return Err(value("jwt_secret_previous needs at least 32 bytes, as every secret".to_owned()).into());
    }
    if secret.is_none() && previous.secret.is_some() {
        return Err(value("jwt_secret_previous is the one before jwt_secret, which is not set".to_owned()).into());
    }
    let jwks = match (&settings.jwks_url, &settings.jwks_file) {
        (Some(url), None) => {
            Some(JwksSource::Url(Url::parse(url).map_err(|error| value(format!("jwks_url: {error}")))?))
        }
        (None, Some(path)) => Some(JwksSource::File(path.clone())),
        (None, None) => None,
        (Some(_), Some(_)) => return Err(value("set jwks_url or jwks_file, not both".to_owned()).into()),
    };
    let issuers = issuers(settings)?;
    let has_own_keys = settings.auth.auth_jwt_algorithm != JwtAlgorithm::Hs256;
    if secret.is_none() && jwks.is_none() && issuers.is_empty() && !has_own_keys {
        let hint = "or BEHALF_JWKS_URL, BEHALF_JWKS_FILE or BEHALF_ISSUERS: tokens cannot be verified without";
        return Err(ConfigError::Missing("JWT_SECRET", hint).into());
    }
    Ok(Verifier::new(VerifierOptions {
        secret,
        jwks,
        audience: settings.jwt_audience.clone(),
        issuer: settings.jwt_issuer.clone(),
        anon_key: text(settings.anon_key.as_ref()),
        service_key: text(settings.service_role_key.as_ref()),
        clock_skew: clock_skew(settings)?,
    })?
    .with_previous(previous)
    .with_issuers(issuers))
}

fn clock_skew(settings: &Settings) -> Result<Duration, ConfigError> {
    if settings.jwt_clock_skew_seconds > MAX_CLOCK_SKEW_SECONDS {
        let wrong =
            format!("jwt_clock_skew_seconds may be {MAX_CLOCK_SKEW_SECONDS} at most; set the clocks right instead");
        return Err(value(wrong));
    }
    Ok(Duration::from_secs(settings.jwt_clock_skew_seconds))
}

/// For how long a token's claims count where the service role acts for its user.
pub(super) fn claims_max_age(settings: &Settings) -> Duration {
    Duration::from_secs(settings.act_as_claims_seconds)
}

/// How often the public keys are fetched.
pub(super) fn jwks_refresh(settings: &Settings) -> Duration {
    Duration::from_secs(settings.jwks_refresh_seconds.max(1))
}

pub(super) fn limits(settings: &Settings) -> LimitOptions {
    LimitOptions {
        requests_user: settings.rate_limit_user,
        requests_address: settings.rate_limit_anon,
        requests_project: settings.rate_limit_project,
        runs_user: settings.rate_limit_runs,
        streams_user: settings.concurrent_streams_user,
        trusted_proxies: settings.trusted_proxies.clone(),
    }
}

pub(super) fn client_bounds(settings: &Settings) -> ClientBounds {
    let seconds = |seconds: u64| Duration::from_secs(seconds.max(1));
    ClientBounds { stall: seconds(settings.client_stall_seconds), idle: seconds(settings.client_idle_seconds) }
}

/// What is wrong with `trusted_proxies`.
pub(super) fn proxy_error(error: &ProxyError) -> ConfigError {
    value(format!("trusted_proxies: {error}"))
}

pub(super) fn signatures(settings: &Settings) -> Result<Signatures, KeyError> {
    Signatures::load(&settings.plugin_keys, settings.plugin_signatures == PluginSignatures::Required)
}

pub(crate) fn sealer(settings: &Settings) -> Result<Sealer, ConfigError> {
    let (current, previous) = (&settings.secrets_key, &settings.secrets_key_previous);
    Sealer::new(current.as_ref().map(Secret::expose), previous.as_ref().map(Secret::expose))
        .map_err(|error| value(format!("secrets_key and secrets_key_previous: {error}")))
}

pub(super) fn billing(settings: &Settings) -> Result<Billing, ConfigError> {
    let prices = settings.prices.as_ref().map(PriceList::read).transpose();
    Ok(Billing {
        mode: match settings.credits {
            behalf_config::CreditsMode::Off => CreditsMode::Off,
            behalf_config::CreditsMode::Record => CreditsMode::Record,
            behalf_config::CreditsMode::Enforce => CreditsMode::Enforce,
        },
        account: match settings.credits_account {
            behalf_config::CreditsAccount::User => CreditsAccount::User,
            behalf_config::CreditsAccount::Project => CreditsAccount::Project,
        },
        prices: prices.map_err(|error| value(format!("prices: {error}")))?,
    })
}

/// How long a call waits for a place, and as long again for connections.
pub(super) fn max_wait(settings: &Settings) -> Duration {
    Duration::from_secs(settings.max_wait_seconds)
}

/// `storage` is where the app's objects are, if this host keeps them. The slots are filled once there
/// are knowledge bases and memories.
pub(super) fn sandbox(
    settings: &Settings,
    compiler: Option<PathBuf>,
    storage: Option<Storage>,
    (knowledge, memory): (&LateSlot<dyn KnowledgeSearch>, &LateSlot<dyn MemoryStore>),
) -> SandboxOptions {
    SandboxOptions {
        concurrent_calls: settings.concurrent_calls.max(1),
        max_wait: max_wait(settings),
        cache_dir: settings.state_dir.join("compiled"),
        cache_mib: settings.operations.compiled_max_mib,
        compiler: compiler.map_or(Compiler::Here, Compiler::Process),
        http_allow_private: settings.http_allow_private.clone(),
        http: None,
        workspace_dir: settings.state_dir.join("workspaces"),
        objects: storage.map(|storage| Arc::new(ToolObjects::new(storage)) as Arc<dyn ObjectStore>),
        knowledge: Some(Arc::new(knowledge.clone())),
        memory: Some(Arc::new(memory.clone())),
    }
}

pub(super) fn models(settings: &Settings) -> ModelSettings {
    ModelSettings {
        base_url: settings.model_base_url.clone(),
        api_key: settings.model_api_key.as_ref().map(|key| ApiKey::new(key.expose())),
        default_model: settings.model_default.clone(),
        omitted_fields: settings.model_omit_fields.clone(),
        ..ModelSettings::default()
    }
}

pub(super) fn agents(settings: &Settings) -> AgentsOptions {
    let limit = |runs: u32| Some(runs).filter(|runs| *runs > 0);
    AgentsOptions {
        run_limits: RunLimits {
            user: limit(settings.concurrent_runs_user),
            project: limit(settings.concurrent_runs_project),
        },
        lease_duration: Duration::from_secs(settings.run_lease_seconds),
        max_wait: max_wait(settings),
        pieces_days: settings.retention.retention_events,
        sessions_days: settings.retention.retention_runs,
    }
}

/// The least that is of use to anybody.
const LEAST_REST_BYTES: usize = 1024;

/// How `/rest/v1` is served, if this host serves it.
pub(super) fn rest(settings: &Settings) -> Result<Option<RestOptions>, ConfigError> {
    if settings.rest != Face::On {
        return Ok(None);
    }
    let part = settings.rest_audit_reads;
    if !(0.0..=1.0).contains(&part) {
        return Err(value(format!("rest_audit_reads is {part}; it is a part of all reads, from 0 to 1")));
    }
    for (name, bytes) in [
        ("rest_max_body_bytes", settings.rest_max_body_bytes),
        ("rest_max_answer_bytes", settings.rest_max_answer_bytes),
    ] {
        if bytes < LEAST_REST_BYTES {
            return Err(value(format!("{name} is {bytes}; it must be at least {LEAST_REST_BYTES}")));
        }
    }
    if settings.exposed_schemas.is_empty() {
        return Err(value("exposed_schemas is empty; name a schema, or set rest to off".to_owned()));
    }
    let hook = settings.rest_pre_request.as_deref().map(|text| {
        Hook::from_setting(text).ok_or_else(|| value(format!("rest_pre_request: {text:?} is no name of a function")))
    });
    let plan = behalf_rest_plan::Options {
        max_rows: settings.rest_max_rows,
        pre_request: hook.transpose()?,
        tx_end: match settings.rest_tx_end {
            RestTxEnd::Commit => TxEnd::Commit,
            RestTxEnd::CommitAllowOverride => TxEnd::CommitAllowOverride,
            RestTxEnd::Rollback => TxEnd::Rollback,
            RestTxEnd::RollbackAllowOverride => TxEnd::RollbackAllowOverride,
        },
        aggregates: settings.rest_aggregates,
        plan: settings.rest_plan,
        openapi: match settings.rest_openapi {
            RestOpenApi::FollowPrivileges => OpenApiMode::FollowPrivileges,
            RestOpenApi::IgnorePrivileges => OpenApiMode::IgnorePrivileges,
            RestOpenApi::Disabled => OpenApiMode::Disabled,
        },
    };
    Ok(Some(RestOptions {
        schemas: settings.exposed_schemas.clone(),
        extra_search_path: settings.rest_extra_search_path.clone(),
        plan,
        max_body_bytes: settings.rest_max_body_bytes,
        max_answer_bytes: settings.rest_max_answer_bytes,
        deadline: Duration::from_secs(settings.rest_timeout_seconds.max(1)),
        logged_reads: part,
        log_days: settings.rest_audit_days,
    }))
}

/// `bound` is the address that the host listens at, and `issuers` are those whose audiences name this host.
pub(super) fn mcp(settings: &Settings, bound: Option<SocketAddr>, issuers: &Issuers) -> McpOptions {
    McpOptions {
        bind: bound.unwrap_or(settings.bind),
        audiences: issuers.audiences().into_iter().chain([settings.jwt_audience.clone()]).collect(),
        public_url: settings.public_url.clone(),
        allowed_origins: settings.mcp_allowed_origins.clone(),
        issuer: settings.jwt_issuer.clone(),
    }
}

/// How assertions name this host: as its clients do.
pub(super) fn issuer(settings: &Settings, bound: Option<SocketAddr>) -> String {
    match &settings.public_url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => format!("http://{}", bound.unwrap_or(settings.bind)),
    }
}
