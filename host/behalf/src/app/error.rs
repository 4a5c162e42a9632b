//! Why the host does not start.

use std::net::SocketAddr;

use behalf_config::ConfigError;
use behalf_host_db::ConnectError;
use behalf_identity::JwksError;
use behalf_models::SettingsError;
use behalf_pgwire::TargetError;
use behalf_sandbox::SandboxError;
use behalf_telemetry::TelemetryError;
use behalf_tools::{KeyError, RegisterError, RegistryError, SignerError};
use thiserror::Error;

/// Why the host does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// A setting is missing or wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The tools' address is wrong.
    #[error("BEHALF_TOOL_DATABASE_URL: {0}")]
    ToolAddress(#[from] TargetError),
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] ConnectError),
    /// The database cannot be used for tools.
    #[error(transparent)]
    ToolDatabase(#[from] behalf_caller_db::ConnectError),
    /// The key set cannot be used.
    #[error(transparent)]
    Keys(#[from] JwksError),
    /// The model provider's settings are wrong.
    #[error("the BEHALF_MODEL_… settings cannot be used")]
    Models(#[from] SettingsError),
    /// The sandbox cannot be made.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The registry of tools cannot be read.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A plugin that comes with the host does not register.
    #[error("cannot register the bundled plugins")]
    Bundled(#[from] RegisterError),
    /// The keys that plugins are signed with cannot be used.
    #[error(transparent)]
    Signatures(#[from] KeyError),
    /// Custom tools could not be told who calls them.
    #[error("cannot sign assertions of who calls")]
    Signer(#[from] SignerError),
    /// The app's tables could not be listed for `/rest/v1`.
    #[error("cannot read the app's tables for /rest/v1; BEHALF_REST=off starts without it")]
    Rest(#[from] behalf_rest::LoadError),
    /// `/auth/v1` cannot be served on this database.
    #[error(transparent)]
    Auth(#[from] behalf_auth::TablesError),
    /// `/storage/v1` cannot be served on this database.
    #[error(transparent)]
    Storage(#[from] behalf_storage::TablesError),
    /// The files of `/storage/v1` cannot be kept where the settings say.
    #[error("the place of files cannot be used (BEHALF_STORAGE)")]
    Blobs(#[from] behalf_blobs::OpenError),
    /// Documents cannot be read.
    #[error("the reader of documents cannot be set up; BEHALF_SOURCES=off starts without it")]
    Reader(#[from] behalf_sandbox::ReaderError),
    /// Letters cannot be sent.
    #[error("the SMTP_… and AUTH_MAIL_… settings cannot be used: {0}")]
    Mail(#[from] behalf_mail::MailError),
    /// The keys that sign access tokens cannot be used.
    #[error(transparent)]
    SigningKeys(#[from] behalf_host_db::StoreKeyError),
    /// Metrics cannot be set up.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// The address is taken, or is not an address of this machine.
    #[error("cannot listen on {0}; is another host running there? (BEHALF_BIND chooses the address)")]
    Bind(SocketAddr, #[source] std::io::Error),
    /// Serving stopped.
    #[error("serving stopped")]
    Serve(#[source] std::io::Error),
}
