//! The tables of this feature, one store for each. A store holds the table's type, its SQL and its transitions, and knows
//! nothing of models, tools or HTTP.

mod abandoned_run;
mod agent;
mod agent_base;
mod approval;
mod assignment;
mod awaited_run;
mod citation;
mod context_handler;
mod feedback;
mod history;
mod host_presence;
mod journal;
mod like;
mod passage;
mod provider_key;
mod resume_state;
pub(crate) mod retention;
mod run;
mod run_event;
mod run_failure;
mod run_lease;
mod run_lifecycle;
mod run_notifier;
mod sealed_secrets;
mod session;

pub(crate) use abandoned_run::AbandonedRun;
pub(crate) use agent::{Agent, AgentChange, AgentFilter, AgentSort, AgentStore, AgentSummary, NewAgent};
pub(crate) use agent_base::{AgentBase, AgentBaseStore, NotGiven};
pub(crate) use approval::{Approval, ApprovalFilter, ApprovalStore, Decision, NewApproval};
pub(crate) use assignment::{Assignment, AssignmentChange, AssignmentStore};
pub(crate) use awaited_run::{AwaitedBy, AwaitedRunStore};
pub(crate) use context_handler::{ContextHandler, ContextHandlerStore, NewContextHandler};
pub(crate) use feedback::{Feedback, FeedbackStore, NewFeedback, Rating};
pub(crate) use host_presence::{HostNumber, HostPresence};
pub(crate) use journal::{CommitOutcome, JournalStore};
pub(crate) use passage::{ChunkRow, PassageReader, ReadFor};
pub(crate) use provider_key::{NewProviderKey, ProviderKey, ProviderKeyError, ProviderKeyRow, ProviderKeyStore};
pub use run::RunLimits;
pub(crate) use run::{Exchange, RunRow, RunStore};
pub(crate) use run_event::{RunEvent, RunEventStore};
pub(crate) use run_lease::{ReclaimedRun, RunLease, RunLeaseStore};
pub(crate) use run_lifecycle::{NewRun, OpenRunError, RunEnd, RunSession};
pub(crate) use run_notifier::{RunFollower, RunNotifier};
pub use sealed_secrets::{ResealError, SealedSecrets};
pub(crate) use session::{NewSession, Seed, SessionFilter, SessionRow, SessionStore, SessionSummary};
