//! Reads typed settings from `behalf.toml` and the environment, which wins. No other crate reads the environment.
//!
//! An unknown setting is an error: a misspelt safety switch must not be ignored.

mod auth;
mod credits;
mod embeddings;
mod error;
mod face;
mod operations;
mod part;
mod realtime;
mod retention;
mod secret;
mod sources;
mod storage;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Serialized};
use serde::{Deserialize, Deserializer};

use error::wrong;
use part::Part;

pub use auth::{AuthSettings, JwtAlgorithm};
pub use credits::{CreditsAccount, CreditsMode};
pub use embeddings::EmbeddingSettings;
pub use error::ConfigError;
pub use face::{Face, RestOpenApi, RestTxEnd};
pub use operations::OperationsSettings;
pub use realtime::RealtimeSettings;
pub use retention::RetentionSettings;
pub use secret::Secret;
pub use sources::SourcesSettings;
pub use storage::{StoragePlace, StorageSettings};

/// Variables with the prefix `BEHALF_` that are no settings: other programs of the project read them.
const NOT_SETTINGS: [&str; 13] = [
    "POSTGRES_BIN",
    "TEST_DATABASE_URL",
    "TEST_BIN",
    "TEST_CROWD_SECONDS",
    "TEST_REGISTRY_BIN",
    "TEST_BROWSER",
    "TEST_CLIENTS",
    "WASM_CARGO",
    "WASM_RUSTC",
    "WASM_BUILD_STD",
    "CONFIG",
    "REGISTRY_USERNAME",
    "REGISTRY_PASSWORD",
];

/// Where a host listens that is told nothing else.
pub const DEFAULT_BIND: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8787);

/// Which plugins need a signature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PluginSignatures {
    /// None. A signature that comes with a plugin must be valid all the same.
    #[default]
    Off,
    /// All plugins but those that come with the host.
    Required,
}

/// The settings of a host. In the environment each one is `BEHALF_` and its name in capitals, such as `BEHALF_BIND`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Address of the database for its owner; only `migrate` and `doctor` use it.
    pub database_url: Option<Secret>,
    /// Address of the database for the host's own login.
    pub host_database_url: Option<Secret>,
    /// Address of the database for tools; its user name is replaced by the login of each role.
    pub tool_database_url: Option<Secret>,
    /// How the names of this database's logins begin; each database of a cluster needs a prefix of its own.
    #[serde(default = "default_login_prefix")]
    pub login_prefix: String,
    /// Whether `migrate` leaves nothing open for the app's own code.
    #[serde(default)]
    pub revoke_all: bool,
    /// How often a running host looks for tables that show every row, in seconds.
    #[serde(default = "default_exposure_check_seconds")]
    pub exposure_check_seconds: u64,
    /// Schemas that callers may reach.
    #[serde(default = "default_schemas", deserialize_with = "list")]
    pub exposed_schemas: Vec<String>,
    /// Address to listen on.
    #[serde(default = "default_bind")]
    pub bind: SocketAddr,
    /// Address at which clients reach this host.
    pub public_url: Option<String>,
    /// Folder of compiled code and development state.
    #[serde(default = "default_state_dir")]
    pub state_dir: PathBuf,
    /// HS256 secret of at least 32 bytes.
    pub jwt_secret: Option<Secret>,
    /// Address of a JWK set.
    pub jwks_url: Option<String>,
    /// File with a JWK set.
    pub jwks_file: Option<PathBuf>,
    /// Required `aud` claim.
    #[serde(default = "default_audience")]
    pub jwt_audience: String,
    /// Required `iss` claim.
    pub jwt_issuer: Option<String>,
    /// Issuers of tokens beside the project's own; docs/own-issuer.md describes the form.
    pub issuers: Option<serde_json::Value>,
    /// How many seconds the clock of whoever issues tokens may be from this host's.
    #[serde(default = "default_jwt_clock_skew_seconds")]
    pub jwt_clock_skew_seconds: u64,
    /// How often the JWK set is fetched, in seconds.
    #[serde(default = "default_jwks_refresh_seconds")]
    pub jwks_refresh_seconds: u64,
    /// For how many seconds a token's claims count where the service role acts for its user; 0 keeps none.
    #[serde(default = "default_act_as_claims_seconds")]
    pub act_as_claims_seconds: u64,
    /// The previous `jwt_secret`, whose tokens are still accepted while keys turn.
    pub jwt_secret_previous: Option<Secret>,
    /// The project's public key.
    pub anon_key: Option<Secret>,
    /// The previous `anon_key`, still accepted while keys turn.
    pub anon_key_previous: Option<Secret>,
    /// The project's secret key.
    pub service_role_key: Option<Secret>,
    /// The previous `service_role_key`, still accepted while keys turn.
    pub service_role_key_previous: Option<Secret>,
    /// How long servers that check assertions may keep the set of public keys.
    #[serde(default = "default_key_set_cache_seconds")]
    pub key_set_cache_seconds: u64,
    /// Publishers' public keys: `ed25519:…` or PEM files.
    #[serde(default, deserialize_with = "list")]
    pub plugin_keys: Vec<String>,
    /// Whether plugins need a signature by one of `plugin_keys`.
    #[serde(default)]
    pub plugin_signatures: PluginSignatures,
    /// Base address of an OpenAI-compatible endpoint.
    pub model_base_url: Option<String>,
    /// Key of the model endpoint.
    pub model_api_key: Option<Secret>,
    /// Model of agents that name none.
    #[serde(default = "default_model")]
    pub model_default: String,
    /// Optional fields of requests that the model endpoint is never sent.
    #[serde(default, deserialize_with = "list")]
    pub model_omit_fields: Vec<String>,
    /// Hosts in private networks that outbound calls may reach, as `host` or `host:port`.
    #[serde(default, deserialize_with = "list")]
    pub http_allow_private: Vec<String>,
    /// Origins of pages that may speak MCP to this host, such as `https://app.example`; `:*` allows any port.
    #[serde(default, deserialize_with = "list")]
    pub mcp_allowed_origins: Vec<String>,
    /// Lease duration of a run in seconds: when its host has not renewed the lease for so long, another host continues
    /// the run.
    #[serde(default = "default_run_lease_seconds")]
    pub run_lease_seconds: u64,
    /// Filter of log lines, as `tracing` reads it.
    #[serde(default = "default_log")]
    pub log: String,
    /// `json` or `text`. The default is text at a terminal and JSON elsewhere.
    pub log_format: Option<String>,
    /// Days for which the service role can read what tools, their servers and callers wrote during calls; 0 for minutes.
    #[serde(default = "default_call_texts_days")]
    pub call_texts_days: u32,
    /// Address of an OpenTelemetry collector.
    pub otel_exporter_otlp_endpoint: Option<String>,
    /// Key that secrets in the database are encrypted with.
    pub secrets_key: Option<Secret>,
    /// Earlier `secrets_key`s, comma-separated, which still decrypt secrets that they encrypted.
    pub secrets_key_previous: Option<Secret>,
    /// Whether credits are counted, and whether work without credits is refused.
    #[serde(default)]
    pub credits: CreditsMode,
    /// Whose credits are counted.
    #[serde(default)]
    pub credits_account: CreditsAccount,
    /// Prices, as JSON or a table; docs/credits.md describes the form.
    pub prices: Option<serde_json::Value>,
    /// Requests of one user in a minute, on each host. Here and in the next six settings, 0 means no limit.
    #[serde(default = "default_rate_limit_user")]
    pub rate_limit_user: u32,
    /// Requests without a user (anon key, refused tokens) of one address in a minute.
    #[serde(default = "default_rate_limit_anon")]
    pub rate_limit_anon: u32,
    /// Runs that one user begins in a minute.
    #[serde(default = "default_rate_limit_runs")]
    pub rate_limit_runs: u32,
    /// Requests of all users in a minute.
    #[serde(default)]
    pub rate_limit_project: u32,
    /// Concurrent runs of one user, on all hosts.
    #[serde(default = "default_concurrent_runs_user")]
    pub concurrent_runs_user: u32,
    /// Concurrent runs of all users, on all hosts.
    #[serde(default)]
    pub concurrent_runs_project: u32,
    /// Concurrent event streams of one user, on each host.
    #[serde(default = "default_concurrent_streams_user")]
    pub concurrent_streams_user: u32,
    /// Addresses or networks of proxies whose `X-Forwarded-For` is trusted.
    #[serde(default, deserialize_with = "list")]
    pub trusted_proxies: Vec<String>,
    /// Seconds in which a client has to send a header, to go on with a body, and to go on reading an answer.
    #[serde(default = "default_client_stall_seconds")]
    pub client_stall_seconds: u64,
    /// Seconds after which a client's connection without a request is closed.
    #[serde(default = "default_client_idle_seconds")]
    pub client_idle_seconds: u64,
    /// Connections that tool calls share.
    #[serde(default = "default_tool_connections")]
    pub tool_connections: usize,
    /// Memory of one session of tools in MiB, where the host started the database server itself. 0 means no limit.
    #[serde(default = "default_tool_memory_mib")]
    pub tool_memory_mib: u64,
    /// Connections for the host's own tables.
    #[serde(default = "default_host_connections")]
    pub host_connections: u32,
    /// Concurrent tool calls on this host.
    #[serde(default = "default_concurrent_calls")]
    pub concurrent_calls: u32,
    /// How long a call waits for a place, and then for connections, before it is answered with `busy`.
    #[serde(default = "default_max_wait_seconds")]
    pub max_wait_seconds: u64,
    /// Whether `/rest/v1` is served, or the address where it is.
    #[serde(default)]
    pub rest: Face,
    /// The most rows of one answer of `/rest/v1`.
    pub rest_max_rows: Option<u64>,
    /// A function that runs before each request of `/rest/v1`, such as `api.check_request`.
    pub rest_pre_request: Option<String>,
    /// How transactions of `/rest/v1` end.
    #[serde(default)]
    pub rest_tx_end: RestTxEnd,
    /// Whether `select` may ask for aggregates.
    #[serde(default)]
    pub rest_aggregates: bool,
    /// Whether clients may ask for the server's plan of a request.
    #[serde(default)]
    pub rest_plan: bool,
    /// What the root of `/rest/v1` describes.
    #[serde(default)]
    pub rest_openapi: RestOpenApi,
    /// Schemas in which names in the app's functions are looked up, after the request's own schema.
    #[serde(default = "default_rest_extra_search_path", deserialize_with = "list")]
    pub rest_extra_search_path: Vec<String>,
    /// The most bytes of a body of `/rest/v1`.
    #[serde(default = "default_rest_max_bytes")]
    pub rest_max_body_bytes: usize,
    /// The most bytes of an answer of `/rest/v1`.
    #[serde(default = "default_rest_max_bytes")]
    pub rest_max_answer_bytes: usize,
    /// How long a request of `/rest/v1` may take in the database.
    #[serde(default = "default_rest_timeout_seconds")]
    pub rest_timeout_seconds: u64,
    /// The part of the reads of `/rest/v1` that is logged, from 0 to 1.
    #[serde(default = "default_rest_audit_reads")]
    pub rest_audit_reads: f64,
    /// Days for which requests of `/rest/v1` stay in the log.
    #[serde(default = "default_rest_audit_days")]
    pub rest_audit_days: u32,
    /// The settings of `/auth/v1` and of letters.
    #[serde(skip)]
    pub auth: AuthSettings,
    /// The settings of `/storage/v1`.
    #[serde(skip)]
    pub storage: StorageSettings,
    /// The settings of `/api/sources`.
    #[serde(skip)]
    pub sources: SourcesSettings,
    /// The settings of embedding models.
    #[serde(skip)]
    pub embeddings: EmbeddingSettings,
    /// The settings of `/realtime/v1`.
    #[serde(skip)]
    pub realtime: RealtimeSettings,
    /// How long things are kept.
    #[serde(skip)]
    pub retention: RetentionSettings,
    /// How the host is operated.
    #[serde(skip)]
    pub operations: OperationsSettings,
}

impl Settings {
    /// Reads `behalf.toml` in the current folder (or the file that `BEHALF_CONFIG` names) and the environment.
    pub fn load() -> Result<Self, ConfigError> {
        let named = environment("BEHALF_CONFIG").map(PathBuf::from);
        let path = named.clone().unwrap_or_else(|| PathBuf::from("behalf.toml"));
        let file = match std::fs::read_to_string(&path) {
            Ok(text) => parse_toml(&path, &text)?,
            Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(ConfigError::Read(path, error)),
        };
        let env = || Env::prefixed("BEHALF_").ignore(&NOT_SETTINGS).lowercase(true);
        let env = |part: Part| env().filter(move |name| Part::of(name.as_str()) == part);
        Self::extract(file, |part, values| Figment::from(Serialized::defaults(values)).merge(env(part)))
    }

    /// Settings from pairs, for `dev` and tests, which make their own.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, String)>) -> Result<Self, ConfigError> {
        let map: BTreeMap<String, figment::value::Value> = pairs
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.parse().unwrap_or_else(|never| match never {})))
            .collect();
        Self::extract(map, |_, values| Figment::from(Serialized::defaults(values)))
    }

    /// Reads each part by itself, with what `source` adds to its values.
    fn extract<V>(
        mut values: BTreeMap<String, V>,
        source: impl Fn(Part, BTreeMap<String, V>) -> Figment,
    ) -> Result<Self, ConfigError> {
        let mut take = |part: Part| {
            let (own, others) = std::mem::take(&mut values).into_iter().partition(|(name, _)| Part::of(name) == part);
            values = others;
            source(part, own)
        };
        let auth = take(Part::Auth).extract().map_err(wrong)?;
        let storage = take(Part::Storage).extract().map_err(wrong)?;
        let sources = take(Part::Sources).extract().map_err(wrong)?;
        let embeddings = take(Part::Embeddings).extract().map_err(wrong)?;
        let realtime = take(Part::Realtime).extract().map_err(wrong)?;
        let retention = take(Part::Retention).extract().map_err(wrong)?;
        let operations = take(Part::Operations).extract().map_err(wrong)?;
        let rest = take(Part::Rest).extract().map_err(wrong)?;
        Ok(Self { auth, storage, sources, embeddings, realtime, retention, operations, ..rest })
    }
}

/// Reads a variable that is no setting, such as `BEHALF_POSTGRES_BIN`. An empty one counts as unset.
#[expect(clippy::disallowed_methods, reason = "the only place that reads the environment")]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn parse_toml(path: &Path, text: &str) -> Result<BTreeMap<String, toml::Value>, ConfigError> {
    let table: toml::Table = text
        .parse()
        .map_err(|error: toml::de::Error| ConfigError::Toml(path.to_owned(), error.message().to_owned()))?;
    Ok(table
        .into_iter()
        .map(|(name, value)| {
            let name = name.to_lowercase();
            (name.strip_prefix("behalf_").map(str::to_owned).unwrap_or(name), value)
        })
        .collect())
}

/// Reads a comma-separated text or a list of texts.
fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Text(String),
        List(Vec<String>),
    }
    let items = match Either::deserialize(deserializer)? {
        Either::Text(text) => text.split(',').map(str::to_owned).collect(),
        Either::List(items) => items,
    };
    Ok(items.into_iter().map(|item: String| item.trim().to_owned()).filter(|item| !item.is_empty()).collect())
}

fn default_rest_extra_search_path() -> Vec<String> {
    ["public", "extensions"].map(str::to_owned).to_vec()
}
/// More than any page shows, and little enough for as many answers as there are connections.
fn default_rest_max_bytes() -> usize {
    32 * 1024 * 1024
}
fn default_rest_timeout_seconds() -> u64 {
    30
}
fn default_rest_audit_reads() -> f64 {
    1.0
}
fn default_rest_audit_days() -> u32 {
    30
}
fn default_login_prefix() -> String {
    "behalf".to_owned()
}
fn default_exposure_check_seconds() -> u64 {
    30
}
fn default_schemas() -> Vec<String> {
    ["public", "ai", "storage"].map(str::to_owned).to_vec()
}
fn default_bind() -> SocketAddr {
    DEFAULT_BIND
}
fn default_state_dir() -> PathBuf {
    PathBuf::from(".behalf")
}
/// The usual libraries fetch the set again after 30 seconds at the latest when they miss a key.
fn default_key_set_cache_seconds() -> u64 {
    30
}
fn default_audience() -> String {
    "authenticated".to_owned()
}
fn default_jwt_clock_skew_seconds() -> u64 {
    60
}
/// A withdrawn key works for this long at most.
fn default_jwks_refresh_seconds() -> u64 {
    60
}
/// As long as access tokens usually live.
fn default_act_as_claims_seconds() -> u64 {
    3_600
}
fn default_model() -> String {
    "builtin/extractive".to_owned()
}
fn default_log() -> String {
    "info".to_owned()
}
/// A hundred in a second, or 6,000 at once: far more than the app of one person sends.
fn default_rate_limit_user() -> u32 {
    6_000
}
/// Many people may share an address.
fn default_rate_limit_anon() -> u32 {
    6_000
}
/// Each run is many requests to a model.
fn default_rate_limit_runs() -> u32 {
    600
}
fn default_concurrent_runs_user() -> u32 {
    100
}
fn default_concurrent_streams_user() -> u32 {
    100
}
fn default_call_texts_days() -> u32 {
    7
}
fn default_client_stall_seconds() -> u64 {
    30
}
/// Longer than balancers keep idle connections, so that no request meets a connection that is just being closed.
fn default_client_idle_seconds() -> u64 {
    90
}
fn default_run_lease_seconds() -> u64 {
    30
}
fn default_tool_connections() -> usize {
    16
}
/// Many times what sorting and joining take with Postgres's own settings.
fn default_tool_memory_mib() -> u64 {
    512
}
fn default_host_connections() -> u32 {
    8
}
fn default_concurrent_calls() -> u32 {
    64
}
/// Longer than a tool may take unless more was granted: whoever is next in line gets the place of a call that ends at its
/// deadline.
fn default_max_wait_seconds() -> u64 {
    15
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_have_defaults_and_unknown_ones_are_refused() {
        let settings = Settings::from_pairs([("exposed_schemas", "public, app".to_owned())]).expect("settings");
        assert_eq!(settings.exposed_schemas, ["public", "app"]);
        assert_eq!(settings.bind.to_string(), "127.0.0.1:8787");
        assert!(Settings::from_pairs([("jwt_audiense", "x".to_owned())]).is_err());
        assert!(Settings::from_pairs([("auth_sign_up", "false".to_owned())]).is_err());
    }

    #[test]
    fn a_setting_that_does_not_exist_is_named_with_the_one_that_is_meant() {
        for (written, meant) in [
            ("storag", Some("STORAGE")),
            ("jwtsecret", Some("JWT_SECRET")),
            ("auth_sign_up", Some("AUTH_SIGNUP")),
            ("retention_audits", Some("RETENTION_AUDIT")),
            ("drain_second", Some("DRAIN_SECONDS")),
            ("something_else_entirely", None),
        ] {
            let refused = Settings::from_pairs([(written, "1".to_owned())]).expect_err(written);
            let said = refused.to_string();
            let ConfigError::Unknown { name, meant: found } = refused else { panic!("{said}") };
            assert_eq!((name, found.as_deref()), (written.to_uppercase(), meant));
            assert!(
                said.contains("docs/settings.md") && said.contains(&format!("BEHALF_{}", written.to_uppercase())),
                "{said}"
            );
        }
    }

    #[test]
    fn every_other_setting_is_on_the_page_of_settings() {
        let page = include_str!("../../../docs/settings.md");
        let unknown =
            Figment::from(Serialized::default("no_such_setting", 1)).extract::<Settings>().expect_err("unknown");
        let figment::error::Kind::UnknownField(_, known) = unknown.kind else { panic!("{unknown}") };
        assert!(known.len() > 50, "{known:?}");
        for name in known {
            assert!(page.contains(&format!("`{}`", name.to_uppercase())), "docs/settings.md does not describe {name}");
        }
    }

    #[test]
    fn settings_of_sign_in_are_read_beside_the_others() {
        let pairs = [("auth", "off"), ("auth_signup", "false"), ("auth_redirect_urls", "a, b"), ("jwt_issuer", "x")];
        let settings = Settings::from_pairs(pairs.map(|(name, value)| (name, value.to_owned()))).expect("settings");
        assert_eq!((settings.auth.face, settings.auth.auth_signup), (Some(Face::Off), false));
        assert_eq!(settings.auth.auth_redirect_urls, ["a", "b"]);
        assert_eq!(settings.jwt_issuer.as_deref(), Some("x"));
        assert_eq!(Settings::from_pairs([]).expect("settings").auth.auth_jwt_expiry_seconds, 3_600);
    }

    #[test]
    fn the_list_of_names_has_every_setting_of_sign_in() {
        for name in auth::NAMES {
            // A name that the struct does not have would be refused as unknown; a value may be refused for its form.
            let read = Settings::from_pairs([(name, "\u{1}".to_owned())]);
            assert!(read.map_or_else(|error| !matches!(error, ConfigError::Unknown { .. }), |_| true), "{name}");
        }
        let written = include_str!("auth.rs").matches("    pub ").count();
        assert_eq!(auth::NAMES.len(), written, "a setting that is not in the list is never read");
    }

    #[test]
    fn the_list_of_names_has_every_setting_of_storage() {
        for name in storage::NAMES {
            let read = Settings::from_pairs([(name, "\u{1}".to_owned())]);
            assert!(read.map_or_else(|error| !matches!(error, ConfigError::Unknown { .. }), |_| true), "{name}");
        }
        let written = include_str!("storage.rs").matches("    pub storage_").count();
        assert_eq!(storage::NAMES.len(), written + 1, "a setting that is not in the list is never read");
    }

    #[test]
    fn the_list_of_names_has_every_setting_of_sources() {
        for name in sources::NAMES {
            let read = Settings::from_pairs([(name, "\u{1}".to_owned())]);
            assert!(read.map_or_else(|error| !matches!(error, ConfigError::Unknown { .. }), |_| true), "{name}");
        }
        let written = include_str!("sources.rs").matches("    pub ").count();
        assert_eq!(sources::NAMES.len(), written, "a setting that is not in the list is never read");
        let read = Settings::from_pairs([("sources", "off".to_owned()), ("sources_workers", "3".to_owned())]);
        let read = read.expect("settings").sources;
        assert_eq!((read.face, read.sources_workers, read.sources_max_bytes), (Face::Off, 3, 50 * 1024 * 1024));
        assert!(Settings::from_pairs([("sources_worker", "1".to_owned())]).is_err());
    }

    #[test]
    fn the_list_of_names_has_every_setting_of_embedding_models() {
        for name in embeddings::NAMES {
            let read = Settings::from_pairs([(name, "\u{1}".to_owned())]);
            assert!(read.map_or_else(|error| !matches!(error, ConfigError::Unknown { .. }), |_| true), "{name}");
        }
        let written = include_str!("embeddings.rs").matches("\n    pub ").count();
        assert_eq!(embeddings::NAMES.len(), written, "a setting that is not in the list is never read");
        let read = Settings::from_pairs([("embedding_threads", "3".to_owned()), ("embedding_model", "m".to_owned())]);
        let read = read.expect("settings").embeddings;
        assert_eq!((read.embedding_threads, read.embedding_model.as_str()), (3, "m"));
        assert_eq!(Settings::from_pairs([]).expect("settings").embeddings.embedding_model, "local/all-MiniLM-L6-v2");
        assert!(Settings::from_pairs([("embedding_thread", "1".to_owned())]).is_err());
    }

    #[test]
    fn the_list_of_names_has_every_setting_of_realtime() {
        for name in realtime::NAMES {
            let read = Settings::from_pairs([(name, "\u{1}".to_owned())]);
            assert!(read.map_or_else(|error| !matches!(error, ConfigError::Unknown { .. }), |_| true), "{name}");
        }
        let written = include_str!("realtime.rs").matches("    pub ").count();
        assert_eq!(realtime::NAMES.len(), written, "a setting that is not in the list is never read");
        let read = Settings::from_pairs([("realtime", "off".to_owned()), ("realtime_sockets", "3".to_owned())]);
        let read = read.expect("settings").realtime;
        assert_eq!((read.face, read.realtime_sockets, read.realtime_public_channels), (Face::Off, 3, true));
        assert!(Settings::from_pairs([("realtime_socket", "1".to_owned())]).is_err());
    }

    #[test]
    fn every_setting_of_a_part_is_on_the_page_of_settings() {
        let page = include_str!("../../../docs/settings.md");
        for name in part::names() {
            assert!(page.contains(&format!("`{}`", name.to_uppercase())), "docs/settings.md does not describe {name}");
        }
    }

    #[test]
    fn files_are_in_a_folder_in_an_object_store_elsewhere_or_nowhere() {
        let place =
            |text: &str| Settings::from_pairs([("storage", text.to_owned())]).map(|read| read.storage.place).ok();
        assert_eq!(place("on"), Some(Some(StoragePlace::On)));
        assert_eq!(place("false"), Some(Some(StoragePlace::Off)));
        let elsewhere = StoragePlace::At("https://a.example/storage/v1".to_owned());
        assert_eq!(place("https://a.example/storage/v1"), Some(Some(elsewhere)));
        assert_eq!(place("file:///srv/files"), Some(Some(StoragePlace::Folder(PathBuf::from("/srv/files")))));
        assert_eq!(place("s3://files/mine"), Some(Some(StoragePlace::Store("s3://files/mine".to_owned()))));
        for wrong in ["maybe", "file://host/files", "file:///", "ftp://a.example"] {
            assert_eq!(place(wrong), None, "{wrong}");
        }
        assert_eq!(Settings::from_pairs([]).expect("settings").storage.storage_file_size_limit, 50 * 1024 * 1024);
        assert!(Settings::from_pairs([("storage_file_limit", "1".to_owned())]).is_err());
    }

    #[test]
    fn a_face_is_on_off_or_elsewhere() {
        let face = |text: &str| Settings::from_pairs([("rest", text.to_owned())]).map(|settings| settings.rest).ok();
        assert_eq!(face("on"), Some(Face::On));
        assert_eq!(face("off"), Some(Face::Off));
        assert_eq!(face("https://db.example/rest/v1"), Some(Face::At("https://db.example/rest/v1".to_owned())));
        assert_eq!(face("maybe"), None);
    }

    #[test]
    fn a_secret_does_not_print() {
        assert_eq!(format!("{:?}", Secret::new("hunter2".to_owned())), "Secret(…)");
    }

    #[test]
    fn the_list_of_names_has_every_setting_of_operations() {
        for name in operations::NAMES {
            let read = Settings::from_pairs([(name, "\u{1}".to_owned())]);
            assert!(read.map_or_else(|error| !matches!(error, ConfigError::Unknown { .. }), |_| true), "{name}");
        }
        let written = include_str!("operations.rs").matches("\n    pub ").count();
        assert_eq!(operations::NAMES.len(), written, "a setting that is not in the list is never read");
        let read = Settings::from_pairs([("drain_seconds", "3".to_owned())]).expect("settings");
        assert_eq!(read.operations.drain_seconds, 3);
    }

    #[test]
    fn the_list_of_names_has_every_setting_of_retention() {
        for name in retention::NAMES {
            let read = Settings::from_pairs([(name, "3".to_owned())]);
            assert!(read.is_ok(), "{name}: {:?}", read.err());
        }
        let written = include_str!("retention.rs").matches("    pub retention_").count();
        assert_eq!(retention::NAMES.len(), written, "a setting that is not in the list is never read");
        let kept = Settings::from_pairs([("retention_jobs", "3".to_owned())]).expect("settings").retention;
        assert_eq!((kept.retention_jobs, kept.retention_audit, kept.retention_events), (3, 365, 30));
        assert!(Settings::from_pairs([("retention_jobs", "-1".to_owned())]).is_err());
    }
}
