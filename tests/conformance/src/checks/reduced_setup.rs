//! Calls with fewer rows, fewer grants or other settings than the project asks for.

use serde_json::{Value, json};

use crate::call::Failure;
use crate::caller::Caller;
use crate::suite::Suite;
use crate::test_bed::{Setup, TestBed, TestBedError};

/// The number of calls of each tool.
const CALLS: usize = 3;

impl<G: TestBed> Suite<'_, G> {
    /// Calls with answers of the database that are cut to one row.
    pub(crate) async fn fewer_rows(&mut self) -> Result<(), TestBedError> {
        if !self.findings.wants(&["limits.rows"]) || self.setup.grants.get("database").is_none() {
            return Ok(());
        }
        let mut setup = self.setup.clone();
        setup.grants["database"]["max_rows"] = json!(1);
        self.call_with(&setup, "limits.rows").await
    }

    /// Calls with fewer grants.
    pub(crate) async fn fewer_grants(&mut self) -> Result<(), TestBedError> {
        if !self.findings.wants(&["grants.missing"]) {
            return Ok(());
        }
        for grants in reduced_grants(&self.setup.grants) {
            let setup = Setup { grants, settings: self.setup.settings.clone() };
            self.call_with(&setup, "grants.missing").await?;
        }
        Ok(())
    }

    /// Calls with missing settings, and with settings of other types.
    pub(crate) async fn other_settings(&mut self) -> Result<(), TestBedError> {
        let reads_settings = self.test_bed.facts().imports("behalf:tool/settings@");
        if !self.findings.wants(&["settings.missing"]) || !reads_settings {
            return Ok(());
        }
        let mut variants = vec![json!({}), json!({"unknown": {"a": [1]}})];
        for name in self.setup.settings.as_object().into_iter().flat_map(serde_json::Map::keys) {
            for value in [
                json!(null),
                json!(-1),
                json!(1e300),
                json!(""),
                json!("text"),
                json!([]),
                json!({"a": 1}),
                json!(true),
            ] {
                let mut settings = self.setup.settings.clone();
                settings[name] = value;
                variants.push(settings);
            }
        }
        for settings in variants {
            let setup = Setup { grants: self.setup.grants.clone(), settings };
            self.call_with(&setup, "settings.missing").await?;
        }
        Ok(())
    }

    /// Repeats calls that gave results, with another setup; none may crash.
    async fn call_with(&mut self, setup: &Setup, id: &'static str) -> Result<(), TestBedError> {
        if !self.test_bed.configure(setup).await? {
            return Ok(());
        }
        for (tool, arguments) in self.some_good(CALLS) {
            let call = self.call_of(tool, Caller::Alice, &arguments, false);
            let seen = self.make(&call).await?;
            self.findings.checked(id);
            let misfit = self.misfit(Some(tool), &seen);
            let fault = match (seen.failure(), misfit) {
                (Some(Failure::Trap | Failure::NotJson), _) => Some(seen.summary()),
                (_, Some(misfit)) => Some(format!("{misfit} in {}", seen.summary())),
                _ => None,
            };
            if let Some(fault) = fault {
                self.findings.broken(id, fault, self.reproduce.call(id, &call, setup));
            }
        }
        if self.test_bed.configure(&self.setup).await? {
            Ok(())
        } else {
            Err(TestBedError("the host no longer accepts the plugin's own grants and settings".to_owned()))
        }
    }
}

/// Smaller grants than these: reading only, no table, no bucket, no knowledge base, and each grant removed.
fn reduced_grants(grants: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    let mut changed = |change: &dyn Fn(&mut Value)| {
        let mut reduced = grants.clone();
        change(&mut reduced);
        if reduced != *grants {
            found.push(reduced);
        }
    };
    if grants.get("database").is_some_and(Value::is_object) {
        changed(&|reduced| reduced["database"]["access"] = json!("read"));
        changed(&|reduced| reduced["database"]["tables"] = json!([no_table(reduced)]));
    }
    if grants.get("storage").is_some_and(Value::is_object) {
        changed(&|reduced| reduced["storage"]["access"] = json!("read"));
        changed(&|reduced| reduced["storage"]["buckets"] = json!(["behalf-check-no-such-bucket"]));
    }
    if grants.get("knowledge").is_some_and(Value::is_object) {
        changed(&|reduced| reduced["knowledge"]["knowledge_bases"] = json!(["behalf-check-no-such-base"]));
    }
    if grants.get("memory").is_some_and(Value::is_string) {
        changed(&|reduced| reduced["memory"] = json!("read"));
    }
    if grants.get("kv").is_some_and(Value::is_object) {
        changed(&|reduced| reduced["kv"]["access"] = json!("read"));
    }
    for name in ["database", "http", "files", "knowledge", "memory", "kv", "storage"] {
        changed(&|reduced| {
            reduced.as_object_mut().into_iter().for_each(|reduced| {
                reduced.remove(name);
            });
        });
    }
    found
}

/// The name of a table that does not exist, in a granted schema.
fn no_table(grants: &Value) -> String {
    let schema = grants.pointer("/database/schemas/0").and_then(Value::as_str).unwrap_or("public");
    format!("{schema}.behalf_check_no_such_table")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_is_granted_one_thing_at_a_time() {
        let grants = json!({"database": {"access": "write", "schemas": ["app"]}, "limits": {}});
        assert_eq!(
            reduced_grants(&grants),
            [
                json!({"database": {"access": "read", "schemas": ["app"]}, "limits": {}}),
                json!({"database": {"access": "write", "schemas": ["app"], "tables": ["app.behalf_check_no_such_table"]}, "limits": {}}),
                json!({"limits": {}}),
            ]
        );
        assert_eq!(
            reduced_grants(&json!({"storage": {"buckets": ["a"], "access": "write"}})),
            [
                json!({"storage": {"buckets": ["a"], "access": "read"}}),
                json!({"storage": {"buckets": ["behalf-check-no-such-bucket"], "access": "write"}}),
                json!({}),
            ]
        );
        assert_eq!(
            reduced_grants(&json!({"knowledge": {"knowledge_bases": ["*"]}, "memory": "write"})),
            [
                json!({"knowledge": {"knowledge_bases": ["behalf-check-no-such-base"]}, "memory": "write"}),
                json!({"knowledge": {"knowledge_bases": ["*"]}, "memory": "read"}),
                json!({"memory": "write"}),
                json!({"knowledge": {"knowledge_bases": ["*"]}}),
            ]
        );
        assert_eq!(reduced_grants(&json!({"kv": {"access": "write"}})), [json!({"kv": {"access": "read"}}), json!({})]);
        assert!(reduced_grants(&json!({})).is_empty());
    }
}
