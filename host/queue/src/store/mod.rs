//! The statements on the tables of jobs.

pub(crate) mod claim;
pub(crate) mod jobs;
pub(crate) mod lease;
pub(crate) mod operators;
pub(crate) mod outcome;
pub(crate) mod schedules;
pub(crate) mod upkeep;
