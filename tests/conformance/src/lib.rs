//! The conformance suite: what a plugin promises to hosts, models and users, and how each promise is checked.
//!
//! `behalf tool check` gives it a [`TestBed`]: a host with the component, and a database with marked rows. The host depends on
//! this crate, and this crate does not know the host. Owns: the promises ([`promises`]), the arguments that tools are called
//! with, the checks, and the [`Report`]. Never does: check what only the host could do wrong.

mod arguments;
mod call;
mod caller;
mod checks;
mod component;
mod findings;
mod junit;
mod leaves;
mod marks;
#[cfg(test)]
mod memory_bed;
mod pages;
mod project;
mod promise;
mod promises;
mod report;
mod reproduce;
mod suite;
#[cfg(test)]
mod suite_tests;
mod test_bed;
mod tool;

pub use call::{Call, CallRecord, Failure, Operation, Outcome, Statement};
pub use caller::{ALICE, ALICE_MARK, BOB, BOB_MARK, Caller};
pub use component::{Definitions, DefinitionsFailure, Facts, Refusal};
pub use pages::{index, page};
pub use project::{Bounds, Project, ProjectCall};
pub use promise::Promise;
pub use promises::{promise, promises};
pub use report::{Broken, Measures, Report, Standing, Verdict};
pub use suite::{Options, run, without_export};
pub use test_bed::{BetweenCalls, DeniedStatements, Rows, Setup, TestBed, TestBedError};
