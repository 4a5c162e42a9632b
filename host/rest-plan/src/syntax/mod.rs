//! The language of query strings: text to syntax trees, without any knowledge of a database.

pub(crate) mod ast;
mod field;
mod filter;
mod logic;
mod order;
mod query;
mod scanner;
mod select;

#[cfg(test)]
mod tests;

pub(crate) use query::{Query, decode, encode_into};
pub(crate) use scanner::ParseError;

/// How deeply `and(…)`, `or(…)` and `not` may nest, and embedded resources: each level costs stack here and in Postgres.
pub(crate) const MAX_DEPTH: usize = 100;
/// How deeply resources may be embedded in each other.
pub(crate) const MAX_EMBED_DEPTH: usize = 20;
/// How many resources one request may embed.
pub(crate) const MAX_EMBEDS: usize = 100;
