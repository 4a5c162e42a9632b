//! Makes components of core modules: C compilers write those, and the component model's tools for C need not be installed.

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wasmparser::{Parser, Payload, Validator, WasmFeatures};
use wit_component::ComponentEncoder;

/// Makes a component of a core module; the error says why that is not possible. The encoder expects a valid module, so the
/// module is validated first.
pub(super) fn encode(module: &[u8], features: WasmFeatures) -> Result<Vec<u8>, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("{error:#}");
    Validator::new_with_features(features).validate_all(module).map_err(|error| wrong(&error.message()))?;
    let mut encoder = ComponentEncoder::default().validate(true).module(module).map_err(|error| wrong(&error))?;
    // C libraries know WASI's first preview. Its functions are made from the second one's, and a module that uses none
    // stays without WASI.
    if imports_from(module, WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME) {
        encoder = encoder
            .adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)
            .map_err(|error| wrong(&error))?;
    }
    encoder.encode().map_err(|error| wrong(&error))
}

fn imports_from(module: &[u8], name: &str) -> bool {
    Parser::new(0).parse_all(module).any(|payload| match payload {
        Ok(Payload::ImportSection(imports)) => {
            imports.into_imports().any(|import| import.is_ok_and(|import| import.module == name))
        }
        _ => false,
    })
}
