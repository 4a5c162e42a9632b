//! The records of the requests that a call made.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use wasmtime_wasi_http::Error;

use super::denied::PRIVATE;
use super::errors::error_name;

/// Requests of one call, refused ones included: enough for a tool that asks a few services, too few for a crawler.
pub(super) const MAX_REQUESTS: usize = 50;
/// Characters of a method in a record.
const MAX_METHOD_CHARS: usize = 16;

/// One request of a call, for the audit log. Never path, query, headers or body: those are the caller's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EgressRecord {
    /// The method.
    pub method: String,
    /// The host; empty where the tool gave none that can be read.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// Why there was no answer, or why it was cut short: a short stable name.
    pub error: Option<&'static str>,
    /// Names of the secrets that the host added to it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// Why it was not sent, with what to change: for the log of the call, and not for the audit log.
    #[serde(skip)]
    pub reason: Option<String>,
}

/// The records of one call.
#[derive(Clone, Debug, Default)]
pub(super) struct Records(Arc<Mutex<Vec<EgressRecord>>>);

impl Records {
    pub(super) fn all(&self) -> Vec<EgressRecord> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds a record, while there is room.
    pub(super) fn begin(&self, method: &http::Method) -> Option<Record> {
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if records.len() >= MAX_REQUESTS {
            return None;
        }
        let method = method.as_str().chars().take(MAX_METHOD_CHARS).collect();
        let (host, error) = (String::new(), Some("unanswered"));
        let new = EgressRecord { method, host, port: 0, status: None, error, secrets: Vec::new(), reason: None };
        records.push(new);
        Some(Record { all: self.clone(), index: records.len() - 1, closed: AtomicBool::new(false) })
    }
}

/// The record of one request, filled in while it runs.
#[derive(Debug)]
pub(super) struct Record {
    all: Records,
    index: usize,
    closed: AtomicBool,
}

impl Record {
    pub(super) fn change(&self, change: impl FnOnce(&mut EgressRecord)) {
        let mut records = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(record) = records.get_mut(self.index) {
            change(record);
        }
    }

    pub(super) fn failed(&self, error: &Error) {
        if matches!(error, Error::DestinationIpProhibited) {
            self.change(|record| {
                record.reason.get_or_insert_with(|| PRIVATE.to_owned());
            });
        }
        self.ended(error_name(error));
    }

    /// Ends with a cause that WASI has no error for.
    pub(super) fn ended(&self, cause: &'static str) {
        // The first failure is the cause of those that follow.
        if !self.closed.swap(true, Ordering::Relaxed) {
            self.change(|record| record.error = Some(cause));
        }
    }
}
