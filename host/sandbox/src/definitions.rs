//! Asks a component which tools it has.

use std::time::Duration;

use behalf_identity::{CallerKey, Role};
use futures::future::BoxFuture;
use thiserror::Error;

use crate::bindings::ToolPluginPre;
use crate::compiled::CompileError;
use crate::inspect::Inspection;
use crate::limits::CallLimits;
use crate::link_error;
use crate::outcome::{CallError, classify_exit};
use crate::sandbox::Sandbox;
use crate::state::CallState;

/// How long a plugin may take to say what tools it has.
const DEFINITIONS_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of definitions.
const DEFINITIONS_BYTES: usize = 1024 * 1024;

/// Why a plugin's tools are not known.
#[derive(Debug, Error)]
pub enum DefinitionsError {
    /// The component does not compile.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The component does not fit the interface.
    #[error("the component does not fit the plugin interface: {0}")]
    Link(String),
    /// Its function `definitions` failed.
    #[error("`definitions` failed: {0}")]
    Run(#[source] CallError),
}

impl Sandbox {
    /// Asks an inspected component which tools it has, in a store without any capability.
    pub fn definitions<'a>(&'a self, inspection: &'a Inspection) -> BoxFuture<'a, Result<String, DefinitionsError>> {
        Box::pin(async move {
            let pre = self.link_definitions(inspection).await?;
            let limits = definitions_limits();
            let (places, max_wait) = (self.places.clone(), self.max_wait());
            let (engine, clock) = (self.engine.clone(), self.clock.clone());
            let work = async move {
                let place = places.acquire_within(CallerKey::Role(Role::Service), max_wait).await;
                let _place = place.ok_or(CallError::Busy)?;
                let mut store = CallState::new(&limits, &clock).into_store(&engine, &limits);
                let result = tokio::time::timeout(limits.timeout, async {
                    pre.instantiate_async(&mut store).await?.behalf_tool_tool().call_definitions(&mut store).await
                })
                .await;
                let answer = classify_exit(result, &store, &limits)?;
                let fits = store.data().memory().reserve(answer.len());
                fits.map(|()| answer).map_err(|_| CallError::Memory(limits.memory_bytes))
            };
            self.on_guest_threads(work).await.unwrap_or(Err(CallError::Busy)).map_err(DefinitionsError::Run)
        })
    }

    /// Compiles an inspected component and links it for `definitions`.
    pub(crate) async fn link_definitions(
        &self,
        inspection: &Inspection,
    ) -> Result<ToolPluginPre<CallState>, DefinitionsError> {
        let component = self.compiled(inspection.digest, &inspection.component).await?;
        self.linkers.link_definitions(&component).map_err(|error| DefinitionsError::Link(link_error::reason(&error)))
    }
}

/// The limits of asking for definitions.
pub(crate) fn definitions_limits() -> CallLimits {
    CallLimits { timeout: DEFINITIONS_TIMEOUT, output_bytes: DEFINITIONS_BYTES, ..CallLimits::from_grant(None) }
}
