//! The one door to the host: its functions in a component, and the mock's in a native build, where there is no host.

#[cfg(target_family = "wasm")]
pub(crate) use crate::bindings::behalf::tool::{
    caller, database, knowledge, kv, log, memory, progress, settings, storage,
};
#[cfg(not(target_family = "wasm"))]
pub(crate) use crate::mock::door::{caller, database, knowledge, kv, log, memory, progress, settings, storage};

#[cfg(all(feature = "http", target_family = "wasm"))]
pub(crate) use crate::http::wasi as http;
#[cfg(all(feature = "http", not(target_family = "wasm")))]
pub(crate) use crate::mock::door::http;
