//! `behalf:tool/settings`: the values that an operator set for the plugin.

use std::sync::Arc;

use wasmtime::component::Linker;

use super::capability::{CallSetup, Capability, HasView, Holds, PrepareError, View, prepared};
use crate::bindings::behalf::tool::settings::{Host, add_to_linker};
use crate::options::{SandboxError, SandboxOptions};
use crate::versions::{Interface, Version};

/// The settings for one call, a JSON object. The default has none.
#[derive(Debug, Default)]
pub(crate) struct SettingsCtx(Option<Arc<str>>);

impl Host for View<'_, SettingsCtx> {
    async fn get_all(&mut self) -> wasmtime::Result<String> {
        self.base.host_calls.count()?;
        Ok(prepared(self.ctx.0.as_ref())?.to_string())
    }
}

/// The plugin's settings. They carry no power.
#[derive(Debug)]
pub(crate) struct Settings;

impl Capability for Settings {
    type Ctx = SettingsCtx;
    type Granted = ();

    fn open(_options: &SandboxOptions) -> Result<Self, SandboxError> {
        Ok(Self)
    }

    fn interface(version: Version) -> Option<Interface> {
        match version {
            Version::V0_1 => Some(Interface { name: "settings", functions: &["get-all"] }),
        }
    }

    fn link<T: Holds<Self>>(linker: &mut Linker<T>, version: Version) -> wasmtime::Result<()> {
        match version {
            Version::V0_1 => add_to_linker::<T, HasView<Self>>(linker, T::view),
        }
    }

    async fn prepare(
        &self,
        (): &Self::Granted,
        call: &mut CallSetup<'_>,
        view: View<'_, Self::Ctx>,
    ) -> Result<(), PrepareError> {
        view.ctx.0 = Some(Arc::clone(&call.request.settings));
        Ok(())
    }
}
