//! Runs from their start to their end: what a model is told, the loop that lets it call tools, events, leases, resuming and
//! cancelling.

mod abandoned;
mod active_runs;
mod approval;
mod closer;
mod control;
mod conversation;
mod counted;
mod deadline;
mod driver;
mod ending;
mod environment;
mod error;
mod event;
mod executor;
mod journal;
mod lease_keeper;
mod leased_run;
mod passages;
mod place;
mod reader;
mod recorder;
mod records;
mod repetition;
mod request;
mod retry;
mod search_quoter;
mod spec;
mod start_texts;
mod starter;
mod subagent;
mod supervisor;
mod tool_answer;
mod transcript;
mod turn;
mod window;
mod work;

pub(crate) use active_runs::ActiveRuns;
pub(crate) use control::{CancelOnDrop, RunControl};
pub(crate) use environment::RunEnvironment;
pub(crate) use error::{RunFailed, RunGoesOn, StartError, WaitError};
pub(crate) use lease_keeper::LeaseKeeper;
pub(crate) use reader::{EventReader, Followed};
pub(crate) use request::{RunBody, RunRequest};
pub(crate) use starter::RunStarter;
pub(crate) use supervisor::RunSupervisor;
