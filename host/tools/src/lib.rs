//! The tools that exist, and their calls: plugins, custom HTTP tools, and the tools of agents' MCP servers.
//!
//! Owns the tables of these three, the registry that every host keeps of them, the schemas of arguments, the signatures of
//! plugins, the keys of assertions, and one call from its arguments to its audit row. Imports foundations only. Never does: run a
//! call for anybody but the principal that it was given.

mod assertion_signer;
mod bench_hooks;
mod call;
mod call_failure;
mod caller;
mod conformance_hooks;
mod custom;
mod cut;
mod definition;
pub mod doctor;
mod installer;
mod linked_components;
mod mcp;
mod offer;
mod outgoing;
mod plugin;
mod plugin_secrets;
mod registry;
mod routes;
mod signature;
mod store;
mod tool_schema;
mod tools;
mod upgrade;

pub use assertion_signer::{AssertionSigner, SignerError};
pub use bench_hooks::{BenchHooks, Measured};
pub use caller::ToolCaller;
pub use conformance_hooks::{ConformanceHooks, Trial, TrialCall};
pub use custom::{CustomToolError, CustomTools, EndpointError, InvalidCustomTool};
pub use definition::{DefinitionError, check_definitions};
pub use installer::{BundledPlugin, PluginChangeError, PluginInstaller, RegisterError, Upload, is_plugin_name};
pub use mcp::{McpServerChange, McpServerError, McpServers, ServerTools};
pub use outgoing::HeadersError;
pub use plugin::PluginInfo;
pub use plugin_secrets::{PluginSecret, PluginSecretError, PluginSecretList, PluginSecrets};
pub use registry::{RegistryError, ToolRegistry};
pub use routes::routes;
pub use signature::{
    Claim, Envelope, EnvelopeError, KeyError, PublicKey, SignatureError, Signatures, SigningKey, Statement,
};
pub use store::{
    AssertionKeyStore, CustomToolChange, CustomToolRow, CustomToolStore, CustomToolStoreError, HeldPlugin,
    McpServerRow, McpServerStore, NewPlugin, PluginChange, PluginRow, PluginSecretStore, PluginStore, PluginStoreError,
    RegistryRows, RegistryStore, SealedPluginSecrets, StoreSecretError, VersionGrants,
};
pub use tools::{Tools, ToolsOptions};
