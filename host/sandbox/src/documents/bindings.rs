//! The interface of the component that reads documents, in Rust, generated from its WIT. Nothing else stands here.

#![allow(missing_docs, unreachable_pub, clippy::pedantic, reason = "generated code; the WIT has the documentation")]

wasmtime::component::bindgen!({
    world: "extractor",
    path: "../../plugins/extraction/wit",
    imports: { default: trappable },
});
