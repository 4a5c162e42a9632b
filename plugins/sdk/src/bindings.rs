//! The plugin interface as `wit-bindgen` generates it. The modules beside this one are nicer to use.
//!
//! The file is kept: `tests/bindings.rs` says why, compares it, and writes it anew.
#![allow(
    missing_docs,
    unreachable_pub,
    unsafe_code,
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    clippy::str_to_string,
    reason = "generated code"
)]

include!("bindings/generated.rs");
