//! Runs components. Owns the engine, the limits and the capabilities a guest may hold.
//!
//! Imports `db`, `identity` and `config`. Never does: link an interface that was not granted, run a component in a store
//! that another call used (but for [`Sandbox::execute_again`], of one caller and for the conformance suite alone), load
//! native code that this host did not compile.

mod answer;
mod bindings;
mod capabilities;
mod compiled;
mod egress;
mod encode;
mod engine;
mod execute;
mod grants;
mod inspect;
mod instances;
mod limits;
mod linker;
mod repeat;
mod state;
mod versions;
mod within;

pub use answer::is_result;
pub use capabilities::{
    EgressRecord, LogLine, Outbound, OutboundError, OutboundRequest, OutboundResponse, Progress, origin,
};
pub use compiled::{CompileError, compile_file};
pub use egress::DestinationError;
pub use engine::{Compiler, Sandbox, SandboxError, SandboxOptions};
pub use execute::{Blamed, CallError, DefinitionsError, Executed, Instance, Request};
pub use grants::{
    DatabaseAccess, DatabaseGrants, FilesGrants, GrantError, Grants, HttpGrants, HttpIdentity, KnowledgeGrants,
    LimitGrants, Workspace,
};
pub use inspect::{ImportedInterface, InspectError, Inspection, MAX_COMPONENT_BYTES, inspect};
pub use linker::Loaded;
pub use repeat::{Answers, Before};
