//! JSON Schemas of arguments and results: they come from plugins, operators and MCP servers, so each is bounded before it is used.
//!
//! A crate of its own, because the validator is compiled anew in each crate that calls it.

mod deferred;
mod exact;
mod expected;
mod faults;
mod for_model;
mod form;
mod gemini;
mod hint;
mod inline;
mod message;
mod note;
mod pattern;
mod pool;
mod prepared;
mod reference;
#[cfg(test)]
mod tests;
mod unique;

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};
use thiserror::Error;

use deferred::Deferred;
use prepared::Prepared;

pub use deferred::SchemaSource;
pub use exact::{InexactError, inexact_number, read_exact};
pub use for_model::{ModelDialect, for_model, plain};
pub use note::Unchecked;
pub use pool::{Busy, CheckError, prepare};

/// One reason why a value does not fit a schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// JSON Pointer (RFC 6901) into the value; empty for the whole value.
    pub pointer: String,
    /// The fault at that place.
    pub message: String,
}

/// Why a schema cannot be used.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SchemaError {
    /// It is not a schema.
    #[error("not a JSON Schema (2020-12): {0}")]
    Invalid(String),
    /// It nests too deeply or holds too many values.
    #[error("a schema may nest {0} levels and hold {1} values")]
    TooLarge(usize, usize),
    /// It holds too many values once its references are replaced.
    #[error("a schema may hold {0} values and nest {1} schemas with every reference put in its place")]
    Expanded(usize, usize),
    /// It has too many patterns once its references are replaced.
    #[error("a schema may hold {0} patterns with every reference put in its place")]
    Patterns(usize),
}

/// A schema that checks values. Clones share it.
#[derive(Clone, Debug)]
pub struct Schema(Arc<Form>);

#[derive(Debug)]
enum Form {
    Ready(Prepared),
    Deferred(Deferred),
}

impl Schema {
    /// Prepares a schema. Its references are replaced by what they point to, so the validator sees none: nothing is fetched, and
    /// there is no second reading of them. Patterns take linear time. What cannot be checked in these bounds passes unchecked; see
    /// [`Schema::unchecked`]. The work is bounded, but may take a second: see [`prepare`].
    pub fn new(schema: &Value) -> Result<Self, SchemaError> {
        Ok(Self(Arc::new(Form::Ready(Prepared::new(schema)?))))
    }

    /// Takes a schema that was found usable before, and prepares it when a value is first checked with it: a host holds thousands
    /// of schemas and needs few of them.
    pub fn deferred(source: impl SchemaSource) -> Self {
        Self(Arc::new(Form::Deferred(Deferred::new(source))))
    }

    /// Values in it, with every reference replaced: a measure of its memory. A schema that cannot be used has none.
    pub fn size(&self) -> usize {
        self.ready().map_or(0, Prepared::size)
    }

    /// What of the schema values are not checked against. Nothing of one that cannot be used.
    pub fn unchecked(&self) -> &[Unchecked] {
        self.ready().map_or(&[], Prepared::unchecked)
    }

    /// Everything in a value that does not fit the schema, at most 20 faults. [`Schema::check`] does it off the caller's thread.
    pub fn faults(&self, value: &Value) -> Vec<Fault> {
        match self.ready() {
            Ok(ready) => ready.faults(value),
            Err(error) => vec![Fault { pointer: String::new(), message: error.to_string() }],
        }
    }

    /// Whether a value fits the schema. None fits one that cannot be used.
    pub fn fits(&self, value: &Value) -> bool {
        self.ready().is_ok_and(|ready| ready.fits(value))
    }

    /// The schema in the form that checks values, made on this thread where it was not needed before.
    fn ready(&self) -> Result<&Prepared, &SchemaError> {
        match &*self.0 {
            Form::Ready(prepared) => Ok(prepared),
            Form::Deferred(deferred) => deferred.prepared(),
        }
    }
}

/// What values are not checked against of a schema that was found usable, without preparing it.
pub fn unchecked(schema: &Value) -> Vec<Unchecked> {
    inline::inline(schema).map(|inlined| inlined.unchecked).unwrap_or_default()
}

/// The schema of a tool's arguments. They are always an object, and models need the schema to say so, so a missing `type` is
/// added, and one among others stands alone.
pub fn as_object_schema(schema: &Value) -> Result<Value, SchemaError> {
    let Value::Object(fields) = schema else {
        return Err(SchemaError::Invalid("it must be a JSON object".to_owned()));
    };
    let mut fields = fields.clone();
    let is_object = match fields.get("type") {
        None | Some(Value::Null) => true,
        Some(Value::Array(types)) => types.iter().any(|one| one == "object"),
        Some(one) => one == "object",
    };
    if !is_object {
        return Err(SchemaError::Invalid("its type must be \"object\"".to_owned()));
    }
    fields.insert("type".to_owned(), json!("object"));
    Ok(Value::Object(fields))
}
