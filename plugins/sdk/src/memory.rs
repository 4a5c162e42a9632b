//! What an agent remembers of its user: memories of the user and the agent of the call, and of nobody else.
//!
//! A memory is kept or removed at once. It is no part of the call's transaction, and stays where the call fails later.

use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value};

pub use crate::bindings::behalf::tool::memory::{Entry, Error};

/// Keeps a text of at most 8,000 bytes, and returns its id.
pub fn remember(text: &str) -> Result<String, Error> {
    crate::door::memory::remember(text, "{}")
}

/// Keeps a text with what the tool adds to it: at most 4,096 bytes as JSON.
pub fn remember_with(text: &str, meta: &Map<String, Value>) -> Result<String, Error> {
    let meta = serde_json::to_string(meta).unwrap_or_default();
    crate::door::memory::remember(text, &meta)
}

/// The memories that fit `query` best, best first, `top_k` (1 to 50) at most; the newest first where `query` is empty.
pub fn recall(query: &str, top_k: u32) -> Result<Vec<Entry>, Error> {
    crate::door::memory::recall(query, top_k)
}

/// Removes a memory. False where there is none of this id.
pub fn forget(id: &str) -> Result<bool, Error> {
    crate::door::memory::forget(id)
}
