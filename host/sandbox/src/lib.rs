//! Runs components. Owns the engine, the limits and the capabilities that guests can have.
//!
//! Imports foundations only. It never links an interface that was not granted, never runs a component in a store that
//! another call used (except [`Sandbox::execute_again`], for one caller and for the conformance suite alone), and never
//! loads native code that this host did not compile.
//!
//! Its modules import downward only: `memory`, `limits`, `egress`, `versions` and `grants`, then `capabilities`, `state`, `linker`
//! and `sandbox`, then `call` and `definitions`. `documents` stands beside them: it has an engine and a linker of its own.

mod answer;
mod backtrace;
mod bindings;
mod call;
mod capabilities;
mod compiled;
mod deadline;
mod definitions;
pub mod doctor;
mod documents;
mod effects;
mod egress;
mod engine;
mod epoch_clock;
mod grant_check;
mod grant_subset;
mod grants;
mod guest_time;
mod http_values;
mod imports;
mod inspect;
mod instance_reuse;
mod limits;
mod link_error;
mod linker;
mod memory;
mod options;
mod outcome;
mod request;
mod request_threads;
mod sandbox;
mod state;
mod versions;

pub use answer::is_result;
pub use call::Instance;
pub use capabilities::{
    CallSigner, EgressRecord, HttpTrial, KnowledgeBaseRef, KnowledgeCaller, KnowledgeError, KnowledgeFuture,
    KnowledgeMethod, KnowledgeQuery, KnowledgeScope, KnowledgeSearch, LateSlot, ListedObject, LogLine, MemoryCaller,
    MemoryError, MemoryFuture, MemoryStore, NewContent, NewMemory, ObjectCaller, ObjectError, ObjectFuture, ObjectList,
    ObjectPage, ObjectPath, ObjectStore, OpenObject, OperationRecord, Outbound, OutboundError, OutboundRequest,
    OutboundResponse, Part, Passage, Progress, Remembered, Report, StorageRecord, TrialAnswer, TrialRequest,
    TrialResponse, origin,
};
pub use compiled::{CompileError, compile_file};
pub use definitions::DefinitionsError;
pub use documents::{
    DocumentLimits, DocumentOptions, DocumentReader, Page, ReadFailure, ReaderError, Refusal, Summary,
};
pub use effects::{Effects, OwnWord};
pub use egress::DestinationError;
pub use grants::{
    DatabaseAccess, DatabaseGrants, FilesGrants, GrantError, Grants, HttpGrants, HttpIdentity, HttpSecrets,
    KnowledgeGrants, KvAccess, KvGrants, KvOwner, LimitGrants, MemoryAccess, SecretGrant, StorageAccess, StorageGrants,
    Workspace, is_framing_header,
};
pub use imports::ImportedInterface;
pub use inspect::{InspectError, Inspection, MAX_COMPONENT_BYTES, inspect};
pub use instance_reuse::{Answers, Before};
pub use linker::LinkedComponent;
pub use options::{Compiler, SandboxError, SandboxOptions};
pub use outcome::{CallError, CallOutput, Outage};
pub use request::Request;
pub use sandbox::Sandbox;
