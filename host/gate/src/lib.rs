//! The SQL gate: an allow-list for SQL text from untrusted sources.
//!
#![doc = include_str!("../README.md")]

mod bounds;
mod builtin;
mod cache;
mod catalog;
mod functions;
mod information;
mod missing;
mod names;
mod policy;
mod refusal;
mod text;
mod threads;
mod tree;
mod validate;
mod verdict;

#[cfg(test)]
mod tests;

pub use cache::Gate;
pub use catalog::{Catalog, CatalogRow};
pub use missing::MissingGrant;
pub use policy::{DatabaseGrant, IDENTITY_FUNCTIONS, Policy};
pub use refusal::Refusal;
pub use threads::on_parser_thread;
pub use verdict::{Kind, ParameterBound, Verdict};

/// Checks one statement against a policy.
///
/// This parses on the calling thread, which takes some tens of milliseconds if the text is hostile; a server calls
/// [`Gate::check`] instead. The thread should have a stack of 1 MiB or more; the parser refuses statements that need
/// more.
pub fn check(sql: &str, policy: &Policy) -> Result<Verdict, Refusal> {
    let statement = text::one_statement(sql)?;
    let mut tree = tree::parse(statement)?;
    validate::statement(&mut tree, statement, policy)
}
