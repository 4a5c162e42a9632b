//! `PostgREST`'s language as a pure function: a request becomes one parameterised statement.
//!
#![doc = include_str!("../README.md")]

mod answer;
mod cache;
mod error;
mod openapi;
mod options;
mod plan;
mod request;
mod sql;
mod syntax;
mod tree;

#[cfg(test)]
mod tests;

pub use answer::{Answer, Body};
pub use cache::{Hook, SchemaCache};
pub use error::{DatabaseError, RestError};
pub use openapi::openapi;
pub use options::{OpenApiMode, Options, TxEnd};
pub use plan::{Access, Allowed, End, Plan, allowed, plan};
pub use request::{Headers, Method, Request, Target};
pub use sql::Statement;
