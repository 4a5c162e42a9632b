//! What the host keeps for the HTTP resources of one call, charged to the call's memory.

use std::collections::HashMap;

use http::HeaderMap;
use wasmtime_wasi_http::FieldMap;
use wasmtime_wasi_http::p2::bindings::http::types::{Method, Scheme};
use wasmtime_wasi_http::p2::types::{HostIncomingResponse, HostOutgoingRequest};

use crate::memory::{Charge, Memory, OverMemory};

/// Bytes of a request before anything is set.
const REQUEST: usize = 512;
/// The two ends of a body that a guest writes: a channel for its chunks.
pub(super) const BODY: usize = 2 * 1024;
/// A request that is being sent: its tasks.
pub(super) const PENDING: usize = 16 * 1024;
/// A connection: what was read and not yet taken, the piece that is taken, what waits to be written, and TLS. Its library keeps
/// no more (see `MAX_HEAD_BYTES`).
pub(super) const CONNECTION: usize = 384 * 1024;
/// Trailers of an answer; hyper reads no more.
pub(super) const TRAILERS: usize = 32 * 1024;
/// An answer without its headers.
const RESPONSE: usize = 512;
/// A field map without fields.
const FIELDS: usize = 256;

/// The charges of resources that are in the table, by their places there.
#[derive(Debug, Default)]
pub(super) struct Kept {
    charges: HashMap<u32, Charge>,
    /// Kept where nobody says when it is gone.
    until_end: Vec<Charge>,
}

impl Kept {
    /// Charges so many bytes for a resource, instead of what was charged for it before.
    pub(super) fn set(&mut self, memory: &Memory, rep: u32, bytes: usize) -> Result<(), OverMemory> {
        if let Some(charge) = self.charges.get_mut(&rep) {
            return charge.resize(bytes);
        }
        self.charges.insert(rep, memory.charge(bytes)?);
        Ok(())
    }

    /// Takes the charge of a resource that leaves the table.
    pub(super) fn take(&mut self, rep: u32) -> Option<Charge> {
        self.charges.remove(&rep)
    }

    /// Keeps the charge of a resource that leaves the table until the call ends.
    pub(super) fn keep(&mut self, rep: u32) {
        self.until_end.extend(self.charges.remove(&rep));
    }
}

/// A resource that keeps more than its place.
pub(super) trait Weight {
    /// Bytes that it keeps now.
    fn weight(&self) -> usize;
}

impl Weight for FieldMap {
    fn weight(&self) -> usize {
        FIELDS + header_bytes(self)
    }
}

impl Weight for HostOutgoingRequest {
    fn weight(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::capacity);
        let method = if let Method::Other(name) = &self.method { name.capacity() } else { 0 };
        let scheme = if let Some(Scheme::Other(name)) = &self.scheme { name.capacity() } else { 0 };
        let body = if self.body.is_some() { BODY } else { 0 };
        let text = text(&self.authority) + text(&self.path_with_query);
        REQUEST + method + scheme + text + body + self.headers.weight()
    }
}

impl Weight for HostIncomingResponse {
    fn weight(&self) -> usize {
        RESPONSE + self.headers.weight()
    }
}

/// Bytes of a map: its table, further values of a name, and the texts.
fn header_bytes(map: &HeaderMap) -> usize {
    const ENTRY: usize = 128;
    const FURTHER: usize = 160;
    let names: usize = map.keys().map(|name| name.as_str().len()).sum();
    let values: usize = map.values().map(http::HeaderValue::len).sum();
    map.capacity() * ENTRY + (map.len() - map.keys_len()) * FURTHER + names + values
}
