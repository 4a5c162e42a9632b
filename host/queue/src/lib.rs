//! Durable jobs in Postgres: work that a request began and that some host does later, as the one who began it.
//!
//! Owns the tables `behalf.jobs`, `behalf.job_owners`, `behalf.job_lanes` and `behalf.schedules`, and the routes `/api/jobs`. Imports foundations only
//! and knows no feature: a feature adds its jobs with [`Queue::add`] in the transaction of what they are about, and does them in a
//! [`Handler`]. Never does: work on a job as anybody but the one who added it; let the effect of a job be stored by a host that has
//! lost it (`docs/jobs.md`).

mod handler;
mod identity;
mod job;
mod operators;
mod queue;
mod routes;
mod stop;
mod store;
mod workers;

pub use handler::{Done, Ended, Failure, Handler, JobLimits, OwnerCheck};
pub use job::Job;
pub use operators::{JobCounts, JobError, JobFilter, JobRow, JobState, JobTable};
pub use queue::{AddError, Added, Cancel, JobId, NewJob, Queue};
pub use routes::routes;
pub use stop::Stop;
pub use workers::{LaneOptions, RunningWorkers, WorkerOptions, Workers};
