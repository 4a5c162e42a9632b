use super::egress::HostPattern;
use super::grants::{DatabaseAccess, DatabaseGrants, FilesGrants, Grants, HttpGrants, HttpIdentity, Workspace};
use super::limits::CallLimits;

impl Grants {
    /// What of these grants goes beyond others; none where they allow the same or less. In doubt they go beyond.
    pub fn beyond(&self, other: &Self) -> Option<&'static str> {
        if let Some(mine) = self.database()
            && let Some(what) = other.database().map_or(Some("the database"), |theirs| database_beyond(mine, theirs))
        {
            return Some(what);
        }
        let bases =
            |grants: &Self| grants.knowledge.as_ref().map(|one| one.knowledge_bases.clone()).unwrap_or_default();
        if !subset(&bases(self), &bases(other)) {
            return Some("knowledge bases");
        }
        if self.http().is_some_and(|mine| other.http().is_none_or(|theirs| http_beyond(mine, theirs))) {
            return Some("hosts for outbound HTTP");
        }
        if self.files().is_some_and(|mine| other.files().is_none_or(|theirs| files_beyond(mine, theirs))) {
            return Some("the files");
        }
        limits_beyond(self, other).then_some("limits")
    }
}

fn database_beyond(mine: &DatabaseGrants, theirs: &DatabaseGrants) -> Option<&'static str> {
    if mine.access == DatabaseAccess::Write && theirs.access != DatabaseAccess::Write {
        return Some("writing to the database");
    }
    if !subset(&mine.schemas, &theirs.schemas) {
        return Some("schemas of the database");
    }
    if mine.max_rows > theirs.max_rows {
        return Some("rows of the database");
    }
    // No table means all of the schemas.
    let all_of_theirs = theirs.tables.is_empty();
    let fits = match (mine.tables(), theirs.tables()) {
        (Ok(mine), _) if !mine.is_empty() && all_of_theirs => true,
        (Ok(mine), Ok(theirs)) if !mine.is_empty() => subset(&mine, &theirs),
        (Ok(_), _) => all_of_theirs || mine.schemas.is_empty(),
        (Err(_), _) => false,
    };
    (!fits).then_some("tables of the database")
}

fn http_beyond(mine: &HttpGrants, theirs: &HttpGrants) -> bool {
    let patterns = |grants: &HttpGrants| grants.hosts.iter().map(|host| HostPattern::parse(host)).collect::<Vec<_>>();
    let known = patterns(theirs);
    let covered = |host: &Option<HostPattern>| {
        host.as_ref().is_some_and(|host| known.iter().flatten().any(|known| host.within(known)))
    };
    let says_more = mine.identity == HttpIdentity::Assertion && theirs.identity != HttpIdentity::Assertion;
    says_more || !patterns(mine).iter().all(covered)
}

fn files_beyond(mine: &FilesGrants, theirs: &FilesGrants) -> bool {
    // What is kept longer is shared by more calls.
    let kept = |workspace| match workspace {
        Workspace::None => 0,
        Workspace::Call => 1,
        Workspace::Session => 2,
        Workspace::User => 3,
    };
    // Zero is the host's own bound, which may be more or less than a number.
    let more = match (mine.max_bytes, theirs.max_bytes) {
        (mine, theirs) if mine == theirs => false,
        (0, _) | (_, 0) => true,
        (mine, theirs) => mine > theirs,
    };
    kept(mine.workspace) > kept(theirs.workspace) || more
}

/// As they would be in force: an absent limit is the host's own.
fn limits_beyond(mine: &Grants, theirs: &Grants) -> bool {
    let (mine, theirs) = (CallLimits::from_grants(mine), CallLimits::from_grants(theirs));
    mine.timeout > theirs.timeout || mine.memory_bytes > theirs.memory_bytes || mine.output_bytes > theirs.output_bytes
}

fn subset<T: PartialEq>(mine: &[T], theirs: &[T]) -> bool {
    mine.iter().all(|one| theirs.contains(one))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn beyond(mine: Value, theirs: Value) -> bool {
        let read = |json: Value| Grants::from_json(json.clone()).unwrap_or_else(|error| panic!("{json}: {error}"));
        read(mine).beyond(&read(theirs)).is_some()
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
            "knowledge": {"knowledge_bases": ["a"]}, "limits": {"timeout_ms": 60000},
        });
        assert!(!beyond(all.clone(), all.clone()) && !beyond(json!({}), all.clone()) && !beyond(json!({}), json!({})));
        for (key, grant) in all.as_object().expect("object") {
            assert!(beyond(json!({ key: grant }), json!({})), "{key}");
            assert!(!beyond(json!({ key: grant }), all.clone()), "{key}");
        }
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
            assert_eq!(beyond(mine.clone(), theirs.clone()), expected, "{mine} of {theirs}");
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
            assert_eq!(beyond(hosts(&[mine]), hosts(&["other.test", theirs])), expected, "{mine} of {theirs}");
        }
        assert!(beyond(
            json!({"http": {"hosts": ["a.test"], "identity": "assertion"}}),
            json!({"http": {"hosts": ["a.test"]}})
        ));
    }

    #[test]
    fn files_and_limits_are_compared_as_they_are_in_force() {
        let files = |workspace: &str, bytes: u64| json!({"files": {"workspace": workspace, "max_bytes": bytes}});
        assert!(!beyond(files("call", 5), files("user", 5)));
        assert!(beyond(files("user", 5), files("session", 5)));
        assert!(beyond(files("call", 6), files("call", 5)));
        assert!(beyond(files("call", 0), files("call", 5)));
        let limits = |json: Value| json!({"limits": json});
        assert!(!beyond(limits(json!({"timeout_ms": 10_000})), json!({})));
        assert!(beyond(limits(json!({"timeout_ms": 10_001})), json!({})));
        // Leaving out a limit that was signed is asking for the host's own, which is more.
        assert!(beyond(json!({}), limits(json!({"timeout_ms": 500}))));
        assert!(beyond(limits(json!({"memory_bytes": 0})), limits(json!({"memory_bytes": 1_000_000}))));
    }
}
