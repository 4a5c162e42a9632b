//! The SQL gate: every statement a tool wants to run is read here, with Postgres's own parser, before it is sent.
//!
//! Owns the judgement of SQL text: [`check`] for one statement, [`Gate`] for a server (a cache, and threads to parse on).
//! Imports no other room. It never talks to a database: what the database holds comes in as a [`Catalog`].
//!
//! A statement passes only if everything in it is known and allowed, so that it holds even where the database cannot be
//! locked down, and one call of `set_config` would be enough to become somebody else:
//! - one statement, a SELECT, VALUES or TABLE, or where the policy lets the plugin write an INSERT, UPDATE, DELETE or MERGE;
//! - relations of granted schemas, found by the search path as the server finds them, or common table expressions in scope;
//! - functions of `functions.txt`, of well-known extensions, of granted schemas as far as their bodies run no SQL text, and
//!   those the grant names; the same for functions reached through `x.f`, an operator, or a spelling of SQL's own;
//! - types other than `reg*` and pseudo types; operators known to be harmless; nothing that the walk has not been taught.
//!
//! What it relies on, and the host must see to on every connection: `server_encoding` and `client_encoding` are UTF8,
//! `standard_conforming_strings` is on (or the server would read other literals than the gate did), `search_path` is the
//! policy's, the statement goes by the extended protocol, and a plugin that may not write gets a read-only transaction.

mod builtin;
mod cache;
mod catalog;
mod functions;
mod names;
mod policy;
mod refusal;
mod text;
mod threads;
mod tree;
mod verdict;
mod walk;

#[cfg(test)]
mod tests;

pub use cache::Gate;
pub use catalog::{Catalog, CatalogRow};
pub use policy::{DatabaseGrant, IDENTITY_FUNCTIONS, Policy};
pub use refusal::Refusal;
pub use verdict::{Kind, Verdict};

/// Reads one statement and says what it is, or why it is refused.
///
/// It parses on the calling thread, for as long as some tens of milliseconds where the text is hostile: a server asks a
/// [`Gate`] instead. The thread should have a stack of 1 MiB or more; the parser refuses what its stack cannot hold.
pub fn check(sql: &str, policy: &Policy) -> Result<Verdict, Refusal> {
    let statement = text::one_statement(sql)?;
    let tree = tree::parse(statement)?;
    walk::judge(&tree, statement, policy)
}
