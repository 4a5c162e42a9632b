//! Links components with the capabilities that they were granted.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

use crate::bindings::ToolPluginPre;
use crate::capabilities::http::Http;
use crate::capabilities::{self, COUNT, Capability, GrantSet, Granted, granted_set};
use crate::grants::Grants;
use crate::http_values;
use crate::link_error;
use crate::request_threads::Pace;
use crate::state::CallState;

/// Linkers, one for each set of capabilities that was granted so far. A component cannot reach an interface that is not in
/// its linker: a component that imports it is not instantiated.
pub(crate) struct Linkers {
    engine: Engine,
    granted: Mutex<HashMap<GrantSet, Arc<Linker<CallState>>>>,
    definitions: Linker<CallState>,
}

impl std::fmt::Debug for Linkers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Linkers")
    }
}

impl Linkers {
    pub(crate) fn new(engine: &Engine) -> wasmtime::Result<Self> {
        // `definitions` finds every interface, so that a plugin can say what it has before anything is granted. The state
        // of its store is empty, so a host call that needs a capability ends the guest, and every request is refused.
        let definitions = linker(engine, [true; COUNT])?;
        Ok(Self { engine: engine.clone(), granted: Mutex::default(), definitions })
    }

    /// The linker that holds exactly the granted capabilities, made when a component with these grants first comes.
    fn granted(&self, grants: &Grants) -> wasmtime::Result<Arc<Linker<CallState>>> {
        let set = granted_set(grants);
        let mut known = self.granted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(linker) = known.get(&set) {
            return Ok(Arc::clone(linker));
        }
        let made = Arc::new(linker(&self.engine, set)?);
        known.insert(set, Arc::clone(&made));
        Ok(made)
    }

    /// Links a component for `definitions`.
    pub(crate) fn link_definitions(&self, component: &Component) -> wasmtime::Result<ToolPluginPre<CallState>> {
        self.definitions.instantiate_pre(component).and_then(ToolPluginPre::new)
    }
}

fn linker(engine: &Engine, set: GrantSet) -> wasmtime::Result<Linker<CallState>> {
    let mut linker = Linker::new(engine);
    capabilities::link(&mut linker, set)?;
    Ok(linker)
}

/// A component ready to be called with one set of grants.
#[derive(Clone)]
pub struct LinkedComponent {
    /// The grants that it was linked with.
    pub(crate) grants: Arc<Grants>,
    /// The grants as calls need them.
    pub(crate) granted: Granted,
    pub(crate) pre: Result<ToolPluginPre<CallState>, Arc<str>>,
    pub(crate) pace: Pace,
}

impl std::fmt::Debug for LinkedComponent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LinkedComponent").field("grants", &self.grants).finish_non_exhaustive()
    }
}

impl LinkedComponent {
    /// The imports that were not granted, as an error message. A component that has such cannot be called.
    pub fn missing(&self) -> Option<&str> {
        self.pre.as_ref().err().map(AsRef::as_ref)
    }

    /// Links a component for calls. Where it imports an interface that was not granted, the error is kept, and every call
    /// answers it.
    pub(crate) fn link(linkers: &Linkers, component: &Component, grants: Arc<Grants>) -> Self {
        let pre = linkers
            .granted(&grants)
            .and_then(|linker| {
                let http = Http::is_granted(&grants);
                let refusing = if http { None } else { http_values::refusing(&linker, component, &linkers.engine)? };
                refusing.as_ref().unwrap_or(&linker).instantiate_pre(component)
            })
            .and_then(ToolPluginPre::new)
            .map_err(|error| {
                let missing = link_error::not_granted(component, &linkers.engine, &grants);
                Arc::from(missing.unwrap_or_else(|| link_error::reason(&error)))
            });
        Self { granted: Granted::read(&grants), grants, pre, pace: Pace::default() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::capabilities::database::Database;
    use crate::capabilities::knowledge::Knowledge;
    use crate::capabilities::kv::Kv;
    use crate::capabilities::link_one;
    use crate::capabilities::memory::Memories;
    use crate::engine::code_config;

    /// A linker refuses a second definition of a name, so one that refuses a capability holds it already.
    fn holds<C: Capability>(linker: &Linker<CallState>) -> bool
    where
        CallState: crate::capabilities::Holds<C>,
    {
        link_one::<CallState, C>(&mut linker.clone()).is_err()
    }

    #[test]
    fn a_linker_holds_an_interface_only_where_it_was_granted() {
        let linkers = Linkers::new(&Engine::new(&code_config()).unwrap()).unwrap();
        let database = json!({"access": "read", "schemas": ["public"]});
        let (http, bases) = (json!({"hosts": ["api.example.com"]}), json!({"knowledge_bases": ["a"]}));
        let nothing = json!({
            "database": {"access": "none"}, "http": {"hosts": []}, "knowledge": {"knowledge_bases": []}, "memory": "none",
            "kv": {"access": "none"},
        });
        for (grants, expected) in [
            (json!({}), [false; 5]),
            (nothing, [false; 5]),
            (json!({"files": {"workspace": "user"}}), [false; 5]),
            (json!({"database": database}), [true, false, false, false, false]),
            (json!({"http": http}), [false, true, false, false, false]),
            (json!({"database": database, "http": http}), [true, true, false, false, false]),
            (json!({"knowledge": bases}), [false, false, true, false, false]),
            (json!({"memory": "read"}), [false, false, false, true, false]),
            (json!({"memory": "write"}), [false, false, false, true, false]),
            (json!({"kv": {"access": "read"}}), [false, false, false, false, true]),
        ] {
            let linker = linkers.granted(&Grants::from_json(grants.clone()).unwrap()).unwrap();
            assert_eq!(held(&linker), expected, "{grants}");
        }
        assert_eq!(linkers.granted.lock().unwrap().len(), 7, "one for each set");
        assert_eq!(held(&linkers.definitions), [true; 5]);
    }

    fn held(linker: &Linker<CallState>) -> [bool; 5] {
        [
            holds::<Database>(linker),
            holds::<Http>(linker),
            holds::<Knowledge>(linker),
            holds::<Memories>(linker),
            holds::<Kv>(linker),
        ]
    }
}
