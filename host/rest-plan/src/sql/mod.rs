//! Plans to SQL.
//!
//! Nothing but [`Sql`] makes text, and it takes names of the catalogue, constants, numbers that this crate counted, and names
//! of clients for keys of answers, which it quotes. Values are parameters.

mod body;
mod builder;
mod call;
mod condition;
mod needs;
mod read;
mod spread;
mod whole;
mod write;

pub(crate) use body::{Body, BodyField, Fields};
pub(crate) use builder::Sql;
pub use builder::Statement;
pub(crate) use call::{Argument, Arguments, CallPlan};
pub(crate) use needs::Needs;
pub(crate) use whole::{Counting, Extras, Handler, Made, Main, explained, main};
pub(crate) use write::{Conflict, Write, WriteKind};
