use std::time::Duration;

use http::{HeaderMap, Uri};
use serde_json::Value;

use super::manage::McpServerError;
use crate::db::McpServerRow;
use crate::sandbox::origin;
use crate::tools::outgoing::{Identity, read_headers, read_identity};

/// How long a call, or asking for the tools, may take; the platform's bound.
const DEFAULT_SECONDS: f64 = 30.0;
/// What an operator may set instead for calls.
const SECONDS: std::ops::RangeInclusive<f64> = 1.0..=300.0;
/// Characters of an address.
const MAX_ADDRESS: usize = 2_048;
/// Characters of a name; a tool's name, which begins with it, may have 64.
const MAX_NAME: usize = 32;

/// A server ready to be asked.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) name: String,
    pub(super) uri: Uri,
    /// Whom an assertion is for.
    pub(super) origin: String,
    pub(super) headers: HeaderMap,
    pub(super) identity: Identity,
    pub(super) timeout: Duration,
}

impl Server {
    /// Reads and checks a stored or sent row.
    pub(super) fn read(row: &McpServerRow) -> Result<Self, McpServerError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let begins_well = row.name.starts_with(|first: char| first.is_ascii_alphanumeric());
        if row.name.len() > MAX_NAME || !begins_well || !row.name.bytes().all(plain) {
            return Err(McpServerError::Name);
        }
        if row.transport != "http" {
            return Err(McpServerError::Transport);
        }
        if !row.config.is_object() {
            return Err(McpServerError::Config);
        }
        let seconds = row.config.get("timeout_seconds").filter(|value| !value.is_null());
        let seconds = seconds.map_or(Some(DEFAULT_SECONDS), Value::as_f64);
        let seconds = seconds.filter(|seconds| SECONDS.contains(seconds)).ok_or(McpServerError::Timeout)?;
        let uri: Uri = Some(&row.url)
            .filter(|url| url.len() <= MAX_ADDRESS)
            .and_then(|url| url.parse().ok())
            .ok_or(McpServerError::Address)?;
        Ok(Self {
            name: row.name.clone(),
            origin: origin(&uri).map_err(|_| McpServerError::Address)?,
            uri,
            headers: read_headers(Some(&row.headers))?,
            identity: read_identity(&row.config)?,
            timeout: Duration::from_secs_f64(seconds),
        })
    }
}
