//! Custom tools: an operator describes a tool, a server of the operator's carries it out, and a signed assertion tells the server
//! who calls.

mod answer;
mod caller;
mod endpoint;
mod manage;
mod tool;

pub use endpoint::EndpointError;
pub use manage::{CustomToolError, CustomTools};
pub use tool::InvalidCustomTool;

pub(crate) use caller::CustomToolCaller;
pub(crate) use tool::CustomTool;
