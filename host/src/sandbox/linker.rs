use std::sync::Arc;

use wasmtime::Engine;
use wasmtime::component::{Component, HasSelf, Linker};

use super::bindings::behalf::tool::{caller, database, knowledge, log, progress, settings};
use super::bindings::ToolPluginPre;
use super::grants::Grants;
use super::state::CallState;

/// Linkers that hold exactly what a set of grants allows. An interface that is not in one cannot be reached through it:
/// a component that imports it does not instantiate.
pub(super) struct Linkers {
    plain: Linker<CallState>,
    database: Linker<CallState>,
    definitions: Linker<CallState>,
}

impl std::fmt::Debug for Linkers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Linkers")
    }
}

impl Linkers {
    pub(super) fn new(engine: &Engine) -> wasmtime::Result<Self> {
        let plain = powerless(engine)?;
        let mut with_database = powerless(engine)?;
        database::add_to_linker::<_, HasSelf<_>>(&mut with_database, |state| state)?;
        // For definitions everything is there and every call of it ends the guest.
        let mut definitions = powerless(engine)?;
        database::add_to_linker::<_, HasSelf<_>>(&mut definitions, |state| state)?;
        knowledge::add_to_linker::<_, HasSelf<_>>(&mut definitions, |state| state)?;
        Ok(Self { plain, database: with_database, definitions })
    }

    fn granted(&self, grants: &Grants) -> &Linker<CallState> {
        if grants.database().is_some() { &self.database } else { &self.plain }
    }
}

/// Interfaces that carry no power: who is calling, progress, log, settings, and WASI's `lite` profile.
fn powerless(engine: &Engine) -> wasmtime::Result<Linker<CallState>> {
    let mut linker = Linker::new(engine);
    caller::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    progress::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    log::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    settings::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    Ok(linker)
}

/// A component ready to be called with one set of grants.
#[derive(Clone)]
pub struct Loaded {
    /// What it was linked with.
    pub(super) grants: Arc<Grants>,
    pub(super) pre: Result<ToolPluginPre<CallState>, Arc<str>>,
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loaded").field("grants", &self.grants).finish_non_exhaustive()
    }
}

impl Loaded {
    /// Links for calls. Where the component imports what was not granted the error is kept, and every call answers it.
    pub(super) fn link(linkers: &Linkers, component: &Component, grants: Arc<Grants>) -> Self {
        let pre = linkers
            .granted(&grants)
            .instantiate_pre(component)
            .and_then(ToolPluginPre::new)
            .map_err(|error| Arc::from(format!("{error:#}")));
        Self { grants, pre }
    }
}

/// Links for `definitions`, without any capability.
pub(super) fn link_definitions(linkers: &Linkers, component: &Component) -> wasmtime::Result<ToolPluginPre<CallState>> {
    linkers.definitions.instantiate_pre(component).and_then(ToolPluginPre::new)
}

