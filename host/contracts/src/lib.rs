//! Small traits between features, which do not import each other: one feature implements a trait, another one calls it,
//! and the program's `app` connects the two. For example, `tools` implements [`ToolInvoker`] and `agents` calls it.
//!
//! This crate contains the traits, the types in their signatures, the language of deny rules, results and addresses in MCP's form, and the numbers of embedding models, which
//! two features write beside their vectors.

mod content;
mod credits;
mod embedding_model;
mod retrieval;
mod rule;
mod run_accounting;
mod tool;
mod tool_call;
mod uri_template;

pub use content::{ContentBlock, EmbeddedResource, Media, ResourceLink, content_blocks, is_media_type};
pub use credits::{CreditError, CreditHold, CreditLedger};
pub use embedding_model::{ModelNumber, ModelNumbers};
pub use retrieval::{BaseInfo, Retrieval, RetrievalError, RetrievalQuery, RetrievedChunk, SearchMethod};
pub use rule::{Rule, RuleError, forbids, read_rules};
pub use run_accounting::{EndedRun, RunAccounting};
pub use tool::{AgentTool, LeftOutTool, OfferedTools, ToolInfo, ToolKind, ToolResource, hints};
pub use tool_call::{CallContext, CallOutcome, ToolCallError, ToolInvoker};
pub use uri_template::UriTemplate;
