//! Which tools exist, and calling them. Owns the registry of plugins, the schemas of their tools, and one call from its
//! arguments to its audit row.
//!
//! Imports `sandbox`, `db` and `identity`. Never does: run a call for anybody but the principal it was given.

mod bundled;
mod call;
mod custom;
mod definition;
mod mcp;
mod outgoing;
mod pattern;
mod plugin;
mod probe;
mod register;
mod registry;
mod rules;
mod schema;
mod signature;
mod trial;
mod vouch;

pub use call::{CallContext, CallOutcome, ToolCallError};
pub use custom::{CustomToolError, EndpointError};
pub use definition::{DefinitionError, ToolInfo, ToolKind};
pub use mcp::{McpServerChange, McpServerError, McpTool};
pub use outgoing::HeadersError;
pub use plugin::PluginInfo;
pub use register::{RegisterError, Upload, is_plugin_name};
pub use registry::{RegistryError, Tools};
pub use rules::{Rule, RuleError, forbids, read_rules};
pub use schema::{Fault, SchemaError};
pub use signature::{
    Claim, Envelope, EnvelopeError, KeyError, PublicKey, SignatureError, Signatures, SigningKey, Statement,
};
pub use trial::{Trial, TrialCall};
pub use vouch::VouchError;
