//! Who the call is for. Facts, never credentials.

use alloc::string::String;
use core::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

pub use crate::bindings::behalf::tool::caller::Identity;
use crate::door::caller as host;
use crate::{Context as _, Error};

/// The identity this call was made for. It cannot change during the call.
pub fn get_identity() -> Identity {
    host::get_identity()
}

/// JSON object: `call_id`, and where they exist `agent_id`, `session_id`, `run_id`.
pub fn get_call() -> String {
    host::get_call()
}

/// Milliseconds left before the host ends the call.
pub fn remaining_ms() -> u64 {
    host::remaining_ms()
}

/// The user, `sub` of the verified token; none for an anonymous caller and for the service role.
///
/// No statement needs it: row-level security knows who calls. It is for what leaves the database, a file's name or a
/// greeting.
pub fn subject() -> Option<String> {
    get_identity().subject
}

/// The user, or an error for a caller without one.
pub fn require_subject() -> Result<String, Error> {
    subject().ok_or_else(|| Error::denied("This tool works for a signed-in user; the call was made without one."))
}

/// The verified claims.
pub fn claims() -> Map<String, Value> {
    serde_json::from_str(&get_identity().claims).unwrap_or_default()
}

/// The verified claims, as a type with the ones that matter.
pub fn claims_as<T: DeserializeOwned>() -> Result<T, Error> {
    serde_json::from_str(&get_identity().claims).context("The caller's claims do not fit this tool")
}

/// Time left before the host ends the call.
pub fn remaining() -> Duration {
    Duration::from_millis(remaining_ms())
}
