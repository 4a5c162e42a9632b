//! One file for each interface of `wit/`: what the host does when a guest calls.

mod caller;
mod database;
mod files;
mod http;
mod knowledge;
mod log;
mod progress;
mod settings;
mod stdio;

pub(super) use files::{FilesCtx, FilesView, HasFiles, OpenWorkspace, Owner, WorkspaceError, Workspaces};
pub use http::{EgressRecord, Outbound, OutboundError, OutboundRequest, OutboundResponse, origin};
pub(super) use http::{HttpCtx, HttpGrant};
pub(super) use log::LogCtx;
pub use log::LogLine;
pub use progress::Progress;
pub(super) use progress::ProgressCtx;
pub(super) use stdio::LogStream;
