use crate::sandbox::bindings::behalf::tool::settings::Host;
use crate::sandbox::state::CallState;

impl Host for CallState {
    async fn get_all(&mut self) -> wasmtime::Result<String> {
        self.host_calls.count()?;
        Ok(self.granted()?.settings.to_string())
    }
}
