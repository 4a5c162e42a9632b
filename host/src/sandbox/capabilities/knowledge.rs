use crate::sandbox::bindings::behalf::tool::knowledge::{Error, Host, Passage};
use crate::sandbox::state::CallState;

impl Host for CallState {
    /// Linked for `definitions` only, where every capability ends the call. No linker for calls holds this interface:
    /// there are no knowledge bases to grant.
    async fn search(&mut self, _text: String, _options: String) -> wasmtime::Result<Result<Vec<Passage>, Error>> {
        Err(wasmtime::format_err!("knowledge was not granted"))
    }
}
