//! The plugin interface as `wit-bindgen` generates it. The modules beside this one are nicer to use.
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

wit_bindgen::generate!({
    path: "wit",
    world: "tool-plugin",
    additional_derives: [PartialEq],
    pub_export_macro: true,
    export_macro_name: "export_component",
    default_bindings_module: "behalf_sdk::bindings",
});
