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
    clippy::panic,
    clippy::str_to_string,
    clippy::unwrap_used,
    rustdoc::broken_intra_doc_links,
    reason = "generated code"
)]

include!("bindings/generated.rs");
