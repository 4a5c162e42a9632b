//! What a plugin of the host's own may do after a new version came with the host: what an operator decided stands, and nothing is
//! widened silently.

use behalf_sandbox::{Grants, ImportedInterface};
use serde_json::Value;

use crate::store::{HeldPlugin, VersionGrants};

/// What a new version asks for, and what it could be given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewVersion<'a> {
    /// What its manifest asks for.
    pub(crate) asked: &'a Grants,
    /// The same, as the manifest says it.
    pub(crate) asked_json: &'a Value,
    /// What the component imports.
    pub(crate) imports: &'a [ImportedInterface],
    /// The schemas that plugins may be granted.
    pub(crate) exposed: &'a [String],
}

impl NewVersion<'_> {
    /// The grants of the new version. It keeps those that an operator set; where none did, it gets the smaller of what it had and
    /// what it asks for. What it asks for beyond that waits for an operator.
    pub(crate) fn settle(&self, held: Option<&HeldPlugin>) -> VersionGrants {
        let asked = self.asked_json.clone();
        let Some(held) = held else {
            return VersionGrants { grants: asked.clone(), asked, decided: false, requested: None };
        };
        let read = |json: &Value| Grants::from_json(json.clone()).unwrap_or_default();
        let had = read(&held.grants);
        let may = self.possible(if held.decided { had.clone() } else { had.narrowed_to(self.asked) });
        let is_new = !held.decided || held.requested.is_some() || self.asked.exceeds(&read(&held.asked)).is_some();
        let asks_for_more = self.asked.exceeds(&may).is_some();
        // Written as it was wherever it means the same.
        let grants = if may == had { held.grants.clone() } else { serde_json::to_value(&may).unwrap_or_default() };
        VersionGrants {
            grants,
            decided: held.decided,
            requested: (asks_for_more && is_new).then(|| asked.clone()),
            asked,
        }
    }

    /// The grants without those that this component cannot be given, such as one of an interface that it no longer imports.
    fn possible(&self, grants: Grants) -> Grants {
        let fits = |grants: &Grants| grants.check(self.imports, self.exposed).is_ok();
        if fits(&grants) {
            return grants;
        }
        let none = Grants::default;
        let Grants { database, knowledge, memory, kv, storage, http, files, limits } = grants;
        Grants {
            database: database.filter(|one| fits(&Grants { database: Some(one.clone()), ..none() })),
            knowledge: knowledge.filter(|one| fits(&Grants { knowledge: Some(one.clone()), ..none() })),
            memory: memory.filter(|one| fits(&Grants { memory: Some(*one), ..none() })),
            kv: kv.filter(|one| fits(&Grants { kv: Some(*one), ..none() })),
            storage: storage.filter(|one| fits(&Grants { storage: Some(one.clone()), ..none() })),
            http: http.filter(|one| fits(&Grants { http: Some(one.clone()), ..none() })),
            files: files.filter(|one| fits(&Grants { files: Some(one.clone()), ..none() })),
            limits,
        }
    }
}
