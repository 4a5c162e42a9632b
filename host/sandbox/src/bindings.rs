//! The plugin interface in Rust, generated from `wit/`. Nothing else stands here.

#![allow(missing_docs, unreachable_pub, clippy::pedantic, reason = "generated code; the WIT has the documentation")]

wasmtime::component::bindgen!({
    world: "tool-plugin",
    path: "../../wit",
    imports: { default: async | trappable },
    exports: { default: async },
});
