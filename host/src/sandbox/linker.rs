use std::sync::Arc;

use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

use super::bindings::ToolPluginPre;
use super::capabilities::HasFiles;
use super::egress::HostPattern;
use super::grants::Grants;
use super::state::CallState;
use super::versions::VERSIONS;

/// Linkers that hold exactly what a set of grants allows. An interface that is not in one cannot be reached through it:
/// a component that imports it does not instantiate.
pub(super) struct Linkers {
    plain: Linker<CallState>,
    database: Linker<CallState>,
    http: Linker<CallState>,
    database_and_http: Linker<CallState>,
    definitions: Linker<CallState>,
}

impl std::fmt::Debug for Linkers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Linkers")
    }
}

impl Linkers {
    pub(super) fn new(engine: &Engine) -> wasmtime::Result<Self> {
        // For definitions everything is there; every call of it ends the guest, and every request is refused.
        let mut definitions = linker(engine, true, true)?;
        for version in &VERSIONS {
            (version.link_knowledge)(&mut definitions)?;
        }
        Ok(Self {
            plain: linker(engine, false, false)?,
            database: linker(engine, true, false)?,
            http: linker(engine, false, true)?,
            database_and_http: linker(engine, true, true)?,
            definitions,
        })
    }

    fn granted(&self, grants: &Grants) -> &Linker<CallState> {
        match (grants.database().is_some(), grants.http().is_some()) {
            (false, false) => &self.plain,
            (true, false) => &self.database,
            (false, true) => &self.http,
            (true, true) => &self.database_and_http,
        }
    }
}

fn linker(engine: &Engine, with_database: bool, with_http: bool) -> wasmtime::Result<Linker<CallState>> {
    let mut linker = powerless(engine)?;
    if with_database {
        for version in &VERSIONS {
            (version.link_database)(&mut linker)?;
        }
    }
    if with_http {
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    }
    Ok(linker)
}

/// Interfaces that carry no power: who is calling, progress, log, settings, and WASI's `lite` profile. Its
/// file system holds a folder only where the call was given one.
fn powerless(engine: &Engine) -> wasmtime::Result<Linker<CallState>> {
    let mut linker = Linker::new(engine);
    for version in &VERSIONS {
        (version.link_powerless)(&mut linker)?;
    }
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    HasFiles::add_to_linker(&mut linker)?;
    Ok(linker)
}

/// A component ready to be called with one set of grants.
#[derive(Clone)]
pub struct Loaded {
    /// What it was linked with.
    pub(super) grants: Arc<Grants>,
    /// The hosts of the HTTP grant.
    pub(super) hosts: Arc<[HostPattern]>,
    pub(super) pre: Result<ToolPluginPre<CallState>, Arc<str>>,
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loaded").field("grants", &self.grants).finish_non_exhaustive()
    }
}

impl Loaded {
    /// What it imports and was not granted, so that no call of it can run.
    pub fn missing(&self) -> Option<&str> {
        self.pre.as_ref().err().map(AsRef::as_ref)
    }

    /// Links for calls. Where the component imports what was not granted the error is kept, and every call answers it.
    pub(super) fn link(linkers: &Linkers, component: &Component, grants: Arc<Grants>) -> Self {
        let pre = linkers
            .granted(&grants)
            .instantiate_pre(component)
            .and_then(ToolPluginPre::new)
            .map_err(|error| Arc::from(format!("{error:#}")));
        // What cannot be read grants nothing; `Grants::check` refused it before.
        let hosts =
            grants.http().iter().flat_map(|grant| &grant.hosts).filter_map(|host| HostPattern::parse(host)).collect();
        Self { grants, hosts, pre }
    }
}

/// Links for `definitions`, without any capability.
pub(super) fn link_definitions(linkers: &Linkers, component: &Component) -> wasmtime::Result<ToolPluginPre<CallState>> {
    linkers.definitions.instantiate_pre(component).and_then(ToolPluginPre::new)
}
