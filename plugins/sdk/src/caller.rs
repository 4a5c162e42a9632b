//! Who the call is for. Facts, never credentials.

pub use crate::bindings::behalf::tool::caller::{Identity, get_call, get_identity, remaining_ms};
