//! One call of a tool, and the record of what happened in it.

use std::time::Duration;

use serde_json::Value;

use crate::caller::Caller;

/// A call to make.
#[derive(Clone, Debug)]
pub struct Call {
    /// In whose name.
    pub caller: Caller,
    /// The tool's name.
    pub tool: String,
    /// Its arguments. The component gets them as they are, also where they do not fit the schema or are no JSON.
    pub arguments: String,
    /// Whether its writes are committed if it succeeds; otherwise they are rolled back.
    pub keep: bool,
}

/// Everything that was observed of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct CallRecord {
    /// How it ended.
    pub outcome: Outcome,
    /// The lines that it logged and printed.
    pub log: Vec<String>,
    /// The progress that it reported.
    pub progress: Vec<String>,
    /// The statements that it sent to the database.
    pub statements: Vec<Statement>,
    /// What it did with objects of the app's buckets.
    pub objects: Vec<Operation>,
    /// Its searches, and what it did with memories.
    pub texts: Vec<Operation>,
    /// The HTTP requests that it tried to send.
    pub requests: Vec<Operation>,
    /// The time from its start to its end.
    pub duration: Duration,
    /// The most memory that it had, in bytes.
    pub memory_bytes: usize,
}

impl CallRecord {
    /// The result, where there is one.
    pub(crate) fn result(&self) -> Option<&Value> {
        match &self.outcome {
            Outcome::Result(value) => Some(value),
            _ => None,
        }
    }

    /// The reason for which the host ended it, where it did.
    pub(crate) fn failure(&self) -> Option<Failure> {
        match &self.outcome {
            Outcome::Failed(failure, _) => Some(*failure),
            _ => None,
        }
    }

    /// The statement that failed, where the tool reported success all the same and the host therefore refused to commit.
    pub(crate) fn swallowed(&self) -> Option<&Statement> {
        self.statements.iter().find(|one| !one.succeeded).filter(|_| self.failure() == Some(Failure::Commit))
    }

    /// The outcome in one line for people.
    pub(crate) fn summary(&self) -> String {
        match &self.outcome {
            Outcome::Result(value) => format!("the result {}", shortened(&value.to_string())),
            Outcome::Error { code, message } => format!("the error {code:?}: {}", shortened(message)),
            Outcome::Failed(failure, message) => format!("{failure:?}: {}", shortened(message)).to_lowercase(),
        }
    }
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The tool returned a result.
    Result(Value),
    /// The tool returned an error.
    Error {
        /// Its code.
        code: String,
        /// Its message.
        message: String,
    },
    /// The host ended the call.
    Failed(Failure, String),
}

/// The reason for which the host ended a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The component crashed.
    Trap,
    /// It took too long.
    Deadline,
    /// It wanted too much memory.
    Memory,
    /// It returned too much.
    Output,
    /// It called the host too often.
    HostCalls,
    /// Its result is no JSON.
    NotJson,
    /// It imports an interface that was not granted.
    NotGranted,
    /// It reported success, and the host did not commit: a statement had failed, or the commit itself failed.
    Commit,
    /// Something else, for which the component is not to blame.
    Host,
}

/// An operation on objects or memories, a search or an HTTP request that a call tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Its name: `storage.read`, `knowledge.search`, `memory.recall`, `http.request`.
    pub name: &'static str,
    /// Whether it was done.
    pub succeeded: bool,
    /// Its name, or the code of its error; of a request its method and its host, and the error.
    pub detail: String,
}

/// Rules of the gate that a statement breaks whatever the arguments are, if they are parameters.
const RULES_OF_FORM: [&str; 11] = [
    "wrong_parameters",
    "statement_not_allowed",
    "select_into",
    "locking_clause",
    "function_not_allowed",
    "function_not_granted",
    "cost_not_bounded",
    "relation_not_granted",
    "type_not_allowed",
    "operator_not_allowed",
    "construct_not_allowed",
];

/// An SQL statement that a call sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Whether it ran without an error.
    pub succeeded: bool,
    /// The host's verdict, or the SQLSTATE of its error.
    pub detail: String,
}

impl Statement {
    /// Whether it would have written where writing is not allowed: the gate saw it, or the server did.
    pub(crate) fn is_refused_write(&self) -> bool {
        matches!(self.detail.as_str(), "write_not_granted" | "SQLSTATE 25006")
    }

    /// Whether the host refused it for what it is, and not for the values that it was given.
    pub(crate) fn is_refused_in_form(&self) -> bool {
        RULES_OF_FORM.contains(&self.detail.as_str())
    }

    /// Whether its text is no SQL: the gate's parser saw it, or the server's.
    pub(crate) fn is_no_sql(&self) -> bool {
        matches!(self.detail.as_str(), "syntax" | "SQLSTATE 42601")
    }
}

/// The text, cut to the length of a line.
pub(crate) fn shortened(text: &str) -> String {
    const MAX_CHARS: usize = 240;
    let mut short: String = text.chars().take(MAX_CHARS).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
