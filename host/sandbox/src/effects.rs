//! What a call of a tool can change: its plugin's grants, narrowed by what the tool says of itself.

use crate::capabilities::http::grant::HttpMethods;
use crate::grants::{DatabaseAccess, Grants, KvAccess, MemoryAccess, StorageAccess, Workspace};

/// What a tool says of itself, in its definition. It is not trusted: it takes away, and never gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnWord {
    /// `readOnlyHint`.
    pub read_only: bool,
    /// `openWorldHint`; none where it says nothing.
    pub open_world: Option<bool>,
}

/// What a call of a tool can change. Approvals, parallel calls and the hints that clients see follow it, and for a tool in the
/// sandbox it is enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effects {
    writes: Writes,
    http: HttpMethods,
    elsewhere: bool,
}

/// What of the project's own a call can write, one bit for each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Writes(u8);

impl Writes {
    const DATABASE: Self = Self(1);
    const FILES: Self = Self(2);
    const OBJECTS: Self = Self(4);
    const MEMORIES: Self = Self(8);
    const KV: Self = Self(16);

    /// These and, where `is_there`, another kind.
    fn with(self, kind: Self, is_there: bool) -> Self {
        Self(if is_there { self.0 | kind.0 } else { self.0 })
    }

    fn has(self, kind: Self) -> bool {
        self.0 & kind.0 != 0
    }
}

impl Effects {
    /// What the sandbox lets calls of a tool do.
    pub fn enforced(grants: &Grants, word: OwnWord) -> Self {
        let writes = !word.read_only;
        // A folder that is removed with its call is no effect.
        let keeps_files = grants.files().is_some_and(|grant| grant.workspace != Workspace::Call);
        let http = match (grants.http(), word.open_world) {
            (None, _) | (_, Some(false)) => HttpMethods::None,
            (Some(_), _) if word.read_only => HttpMethods::Reading,
            (Some(_), _) => HttpMethods::All,
        };
        let database = grants.database().is_some_and(|grant| grant.access == DatabaseAccess::Write);
        let objects = grants.storage().is_some_and(|grant| grant.access == StorageAccess::Write);
        let kv = grants.kv().is_some_and(|grant| grant.access == KvAccess::Write);
        let writes = Writes::default()
            .with(Writes::DATABASE, writes && database)
            .with(Writes::FILES, writes && keeps_files)
            .with(Writes::OBJECTS, writes && objects)
            .with(Writes::MEMORIES, writes && grants.memory() == MemoryAccess::Write)
            .with(Writes::KV, writes && kv);
        Self { writes, http, elsewhere: false }
    }

    /// What a tool does that runs elsewhere: behind an operator's address, or on a server of theirs. Nothing can be enforced
    /// there, so it counts as writing unless the operator declared that it only reads.
    pub fn elsewhere(declared_read_only: bool) -> Self {
        let http = if declared_read_only { HttpMethods::Reading } else { HttpMethods::All };
        Self { writes: Writes::default(), http, elsewhere: !declared_read_only }
    }

    /// What another agent does: whatever its own tools do.
    pub fn agent() -> Self {
        Self { writes: Writes::default(), http: HttpMethods::None, elsewhere: true }
    }

    /// Whether a call changes nothing that lasts.
    pub fn read_only(self) -> bool {
        self.writes == Writes::default() && !self.elsewhere && self.http != HttpMethods::All
    }

    /// Whether a call may write to the database.
    pub fn writes_database(self) -> bool {
        self.writes.has(Writes::DATABASE)
    }

    /// Whether a call may change files that are kept.
    pub fn writes_files(self) -> bool {
        self.writes.has(Writes::FILES)
    }

    /// Whether a call may write and remove objects of the app's buckets.
    pub fn writes_objects(self) -> bool {
        self.writes.has(Writes::OBJECTS)
    }

    /// Whether a call may remember and forget.
    pub fn writes_memories(self) -> bool {
        self.writes.has(Writes::MEMORIES)
    }

    /// Whether a call may write to its plugin's store.
    pub fn writes_kv(self) -> bool {
        self.writes.has(Writes::KV)
    }

    /// The HTTP requests that a call may send.
    pub(crate) fn http(self) -> HttpMethods {
        self.http
    }

    /// Whether a call has to do with something beyond the project.
    pub fn open_world(self) -> bool {
        self.http != HttpMethods::None
    }

    /// Whether a call may change something that its database transaction does not undo.
    pub fn reaches_out(self) -> bool {
        let kept = [Writes::FILES, Writes::OBJECTS, Writes::MEMORIES];
        self.http == HttpMethods::All || kept.into_iter().any(|kind| self.writes.has(kind))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn effects(grants: serde_json::Value, read_only: bool, open_world: Option<bool>) -> Effects {
        Effects::enforced(&Grants::from_json(grants).expect("grants"), OwnWord { read_only, open_world })
    }

    #[test]
    fn a_tools_own_word_takes_away_and_never_gives() {
        let all = json!({
            "database": {"access": "write", "schemas": ["public"]}, "http": {"hosts": ["a.test"]}, "files": {"workspace": "user"},
        });
        let silent = effects(all.clone(), false, None);
        assert!(silent.writes_database() && silent.writes_files() && silent.reaches_out() && !silent.read_only());
        let reading = effects(all.clone(), true, None);
        assert!(!reading.writes_database() && !reading.writes_files() && !reading.reaches_out() && reading.read_only());
        assert_eq!((reading.http(), reading.open_world()), (HttpMethods::Reading, true));
        let closed = effects(all, true, Some(false));
        assert_eq!((closed.http(), closed.open_world()), (HttpMethods::None, false));
        let nothing = effects(json!({}), false, Some(true));
        assert!(nothing.read_only() && !nothing.open_world(), "what was not granted is not there");
    }

    #[test]
    fn http_counts_as_writing_unless_it_only_reads() {
        let http = json!({"http": {"hosts": ["a.test"]}});
        assert!(!effects(http.clone(), false, None).read_only());
        assert!(effects(http.clone(), true, None).read_only());
        assert!(effects(http, false, Some(false)).read_only());
    }

    #[test]
    fn writing_objects_is_an_effect_that_no_rollback_undoes() {
        let grant = |access: &str| json!({"storage": {"buckets": ["*"], "access": access}});
        let writing = effects(grant("write"), false, None);
        assert!(writing.writes_objects() && writing.reaches_out() && !writing.read_only() && !writing.open_world());
        for reading in [effects(grant("write"), true, None), effects(grant("read"), false, None)] {
            assert!(!reading.writes_objects() && !reading.reaches_out() && reading.read_only());
        }
    }

    #[test]
    fn remembering_is_an_effect_that_no_rollback_undoes_and_searching_is_none() {
        let writing = effects(json!({"memory": "write"}), false, None);
        assert!(writing.writes_memories() && writing.reaches_out() && !writing.read_only() && !writing.open_world());
        let reading = [
            effects(json!({"memory": "write"}), true, None),
            effects(json!({"memory": "read"}), false, None),
            effects(json!({"memory": "none"}), false, None),
            effects(json!({"knowledge": {"knowledge_bases": ["*"]}}), false, None),
        ];
        for reading in reading {
            assert!(!reading.writes_memories() && !reading.reaches_out() && reading.read_only());
        }
    }

    #[test]
    fn writing_to_a_store_is_an_effect_that_a_rollback_undoes() {
        let grant = |access: &str| json!({"kv": {"access": access}});
        let writing = effects(grant("write"), false, None);
        assert!(writing.writes_kv() && !writing.reaches_out() && !writing.read_only() && !writing.writes_database());
        for reading in [effects(grant("write"), true, None), effects(grant("read"), false, None)] {
            assert!(!reading.writes_kv() && reading.read_only());
        }
    }

    #[test]
    fn a_folder_that_ends_with_its_call_is_no_effect() {
        assert!(effects(json!({"files": {"workspace": "call"}}), false, None).read_only());
        assert!(!effects(json!({"files": {"workspace": "session"}}), false, None).read_only());
    }

    #[test]
    fn what_runs_elsewhere_counts_as_writing_unless_the_operator_says_otherwise() {
        assert!(!Effects::elsewhere(false).read_only() && Effects::elsewhere(false).reaches_out());
        assert!(Effects::elsewhere(true).read_only() && Effects::elsewhere(true).open_world());
        assert!(!Effects::agent().read_only() && !Effects::agent().reaches_out());
    }
}
