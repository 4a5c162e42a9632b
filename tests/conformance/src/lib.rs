//! The conformance suite: what a plugin promises to hosts, models and users, and how each promise is checked.
//!
//! It stands on a [`Ground`]: a host with the component and a database with marked rows. It does not know the host, which
//! depends on it for `behalf tool check`. Owns: the promises ([`promises`]), the arguments that tools are tried with, the
//! experiments, and the [`Report`]. Never does: judge what only the host could do wrong.

mod arguments;
mod book;
mod checks;
mod ground;
mod junit;
mod pages;
mod project;
mod promise;
mod promises;
mod report;
mod reproduce;
mod suite;
mod tool;

pub use ground::{
    ALICE, ALICE_MARK, BOB, BOB_MARK, Between, Call, Caller, Defined, Facts, Failure, Ground, GroundError, Outcome,
    Refusal, Rows, Seen, Setup, Statement, Unanswered, Verbs,
};
pub use pages::{index, page};
pub use project::{Bounds, Project, ProjectCall};
pub use promise::Promise;
pub use promises::{promise, promises};
pub use report::{Broken, Measures, Report, Standing, Verdict};
pub use suite::{Options, run, without_export};
