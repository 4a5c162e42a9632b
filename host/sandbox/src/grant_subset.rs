//! Compares grants: whether one set allows more than another.

use crate::capabilities::RULES;
use crate::grants::Grants;
use crate::limits::CallLimits;

impl Grants {
    /// What a new version may do that asks for `asked`, where nobody has decided more than these grants: of each capability the
    /// smaller grant of the two. Where neither is the smaller one, the held grant stays.
    #[must_use]
    pub fn narrowed_to(&self, asked: &Self) -> Self {
        fn smaller<T: Clone>(held: Option<&T>, asked: Option<&T>, alone: fn(Option<T>) -> Grants) -> Option<T> {
            let [mine, theirs] = [held, asked].map(|grant| alone(grant.cloned()));
            if theirs.exceeds(&mine).is_none() { asked.cloned() } else { held.cloned() }
        }
        Self {
            database: smaller(self.database.as_ref(), asked.database.as_ref(), |database| Self {
                database,
                ..Self::default()
            }),
            knowledge: smaller(self.knowledge.as_ref(), asked.knowledge.as_ref(), |knowledge| Self {
                knowledge,
                ..Self::default()
            }),
            memory: smaller(self.memory.as_ref(), asked.memory.as_ref(), |memory| Self { memory, ..Self::default() }),
            kv: smaller(self.kv.as_ref(), asked.kv.as_ref(), |kv| Self { kv, ..Self::default() }),
            storage: smaller(self.storage.as_ref(), asked.storage.as_ref(), |storage| Self {
                storage,
                ..Self::default()
            }),
            http: smaller(self.http.as_ref(), asked.http.as_ref(), |http| Self { http, ..Self::default() }),
            files: smaller(self.files.as_ref(), asked.files.as_ref(), |files| Self { files, ..Self::default() }),
            limits: smaller(self.limits.as_ref(), asked.limits.as_ref(), |limits| Self { limits, ..Self::default() }),
        }
    }

    /// The first thing that these grants allow and the others do not; none where they allow the same or less. Where that
    /// cannot be decided, they count as allowing more.
    pub fn exceeds(&self, other: &Self) -> Option<&'static str> {
        RULES.iter().find_map(|rules| (rules.exceeds)(self, other)).or_else(|| {
            // Compared as they are in force: an absent limit is the host's own.
            let [mine, theirs] = [self, other].map(|grants| CallLimits::from_grant(grants.limits.as_ref()));
            mine.exceed(&theirs).then_some("limits")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn exceeds(mine: Value, theirs: Value) -> bool {
        let read = |json: Value| Grants::from_json(json.clone()).unwrap_or_else(|error| panic!("{json}: {error}"));
        read(mine).exceeds(&read(theirs)).is_some()
    }

    fn database(mut more: Value) -> Value {
        let mut grant = json!({"access": "read", "schemas": ["public"]});
        if let (Value::Object(grant), Value::Object(more)) = (&mut grant, &mut more) {
            grant.append(more);
        }
        json!({"database": grant})
    }

    #[test]
    fn the_same_and_nothing_are_never_beyond() {
        let all = json!({
            "database": {"access": "write", "schemas": ["public", "app"], "tables": ["public.notes"], "max_rows": 5},
            "http": {"hosts": ["*.example.com", "10.0.0.1:8080"]}, "files": {"workspace": "user", "max_bytes": 9},
            "knowledge": {"knowledge_bases": ["a"]}, "memory": "write",
            "kv": {"access": "write", "scope": "plugin"}, "storage": {"buckets": ["a"], "access": "write"},
            "limits": {"timeout_ms": 60000},
        });
        assert!(
            !exceeds(all.clone(), all.clone()) && !exceeds(json!({}), all.clone()) && !exceeds(json!({}), json!({}))
        );
        for (key, grant) in all.as_object().expect("object") {
            assert!(exceeds(json!({ key: grant }), json!({})), "{key}");
            assert!(!exceeds(json!({ key: grant }), all.clone()), "{key}");
        }
    }

    #[test]
    fn a_new_version_gets_the_smaller_grant_of_each_capability() {
        let narrowed = |held: Value, asked: Value| {
            let read = |json: Value| Grants::from_json(json).expect("grants");
            serde_json::to_value(read(held).narrowed_to(&read(asked))).expect("JSON")
        };
        let one = database(json!({"tables": ["notes"]}));
        let all = database(json!({"access": "write"}));
        assert_eq!(narrowed(one.clone(), all.clone())["database"]["tables"], json!(["notes"]));
        assert_eq!(narrowed(all.clone(), one.clone())["database"]["tables"], json!(["notes"]));
        let other = database(json!({"access": "write", "tables": ["budgets"]}));
        assert_eq!(narrowed(one.clone(), other)["database"]["tables"], json!(["notes"]), "neither is smaller");
        assert_eq!(narrowed(all.clone(), json!({})), json!({}));
        assert_eq!(narrowed(json!({}), all), json!({}));
        let slow = json!({"limits": {"timeout_ms": 60_000}});
        assert_eq!(narrowed(json!({}), slow.clone()), json!({}), "more than the host's own limit");
        assert_eq!(narrowed(slow.clone(), json!({})), json!({}));
        assert_eq!(narrowed(slow.clone(), slow.clone()), slow);
    }

    #[test]
    fn less_of_the_database_is_within_and_more_is_beyond() {
        let narrow = |more| database(more);
        for (mine, theirs, expected) in [
            (narrow(json!({})), narrow(json!({"access": "write"})), false),
            (narrow(json!({"access": "write"})), narrow(json!({})), true),
            (narrow(json!({"schemas": []})), narrow(json!({"tables": ["notes"]})), false),
            (narrow(json!({"schemas": ["public", "app"]})), narrow(json!({})), true),
            (narrow(json!({"tables": ["notes"]})), narrow(json!({})), false),
            (narrow(json!({})), narrow(json!({"tables": ["notes"]})), true),
            (narrow(json!({"tables": ["notes"]})), narrow(json!({"tables": ["public.notes", "budgets"]})), false),
            (narrow(json!({"tables": ["notes", "secrets"]})), narrow(json!({"tables": ["notes"]})), true),
            (narrow(json!({"tables": ["other.notes"]})), narrow(json!({"tables": ["notes"]})), true),
            (narrow(json!({"max_rows": 1001})), narrow(json!({})), true),
            (narrow(json!({"max_rows": 10})), narrow(json!({})), false),
            (json!({"database": {"access": "none", "schemas": ["secret"]}}), json!({}), false),
        ] {
            assert_eq!(exceeds(mine.clone(), theirs.clone()), expected, "{mine} of {theirs}");
        }
    }

    #[test]
    fn hosts_are_compared_as_they_are_granted() {
        let hosts = |list: &[&str]| json!({"http": {"hosts": list}});
        for (mine, theirs, expected) in [
            ("api.example.com", "*.example.com", false),
            ("API.example.com.", "api.example.com", false),
            ("*.eu.example.com", "*.example.com", false),
            ("*.example.com", "*.eu.example.com", true),
            ("*.example.com", "api.example.com", true),
            ("*.api.example.com", "api.example.com", true),
            ("*.badexample.com", "*.example.com", true),
            ("example.com", "*.example.com", true),
            ("api.example.com:8443", "api.example.com", true),
            ("api.example.com", "api.example.com:8443", true),
            ("api.example.com:443", "*.example.com:443", false),
            ("10.0.0.1", "10.0.0.2", true),
        ] {
            assert_eq!(exceeds(hosts(&[mine]), hosts(&["other.test", theirs])), expected, "{mine} of {theirs}");
        }
        assert!(exceeds(
            json!({"http": {"hosts": ["a.test"], "identity": "assertion"}}),
            json!({"http": {"hosts": ["a.test"]}})
        ));
        let secret = json!({"http": {"hosts": ["a.test"], "secrets": [{"name": "key", "host": "a.test"}]}});
        assert!(exceeds(secret.clone(), hosts(&["a.test"])) && !exceeds(hosts(&["a.test"]), secret.clone()));
        assert!(!exceeds(secret.clone(), secret));
    }

    #[test]
    fn files_and_limits_are_compared_as_they_are_in_force() {
        let files = |workspace: &str, bytes: u64| json!({"files": {"workspace": workspace, "max_bytes": bytes}});
        assert!(!exceeds(files("call", 5), files("user", 5)));
        assert!(exceeds(files("user", 5), files("session", 5)));
        assert!(exceeds(files("call", 6), files("call", 5)));
        assert!(exceeds(files("call", 0), files("call", 5)));
        let limits = |json: Value| json!({"limits": json});
        assert!(!exceeds(limits(json!({"timeout_ms": 10_000})), json!({})));
        assert!(exceeds(limits(json!({"timeout_ms": 10_001})), json!({})));
        // Leaving out a limit that was signed is asking for the host's own, which is more.
        assert!(exceeds(json!({}), limits(json!({"timeout_ms": 500}))));
        assert!(exceeds(limits(json!({"memory_bytes": 0})), limits(json!({"memory_bytes": 1_000_000}))));
    }
}
