use serde_json::{Value, json};

use crate::ground::{Caller, Failure, Ground, GroundError, Setup};
use crate::suite::Suite;

/// Calls of each tool.
const CALLS: usize = 3;

impl<G: Ground> Suite<'_, G> {
    /// Answers of the database are cut short.
    pub(crate) async fn fewer_rows(&mut self) -> Result<(), GroundError> {
        if !self.book.wants(&["limits.rows"]) || self.setup.grants.get("database").is_none() {
            return Ok(());
        }
        let mut setup = self.setup.clone();
        setup.grants["database"]["max_rows"] = json!(1);
        self.under(&setup, "limits.rows").await
    }

    /// The operator grants less.
    pub(crate) async fn fewer_grants(&mut self) -> Result<(), GroundError> {
        if !self.book.wants(&["grants.missing"]) {
            return Ok(());
        }
        for grants in lesser(&self.setup.grants) {
            let setup = Setup { grants, settings: self.setup.settings.clone() };
            self.under(&setup, "grants.missing").await?;
        }
        Ok(())
    }

    /// The operator sets something else.
    pub(crate) async fn other_settings(&mut self) -> Result<(), GroundError> {
        let reads_settings = self.ground.facts().imports("behalf:tool/settings@");
        if !self.book.wants(&["settings.missing"]) || !reads_settings {
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
            self.under(&setup, "settings.missing").await?;
        }
        Ok(())
    }

    /// Calls what gave results, with another setup, in which it must not crash.
    async fn under(&mut self, setup: &Setup, id: &'static str) -> Result<(), GroundError> {
        if !self.ground.configure(setup).await? {
            return Ok(());
        }
        for (tool, arguments) in self.some_good(CALLS) {
            let call = self.call_of(tool, Caller::Alice, &arguments, false);
            let seen = self.make(&call).await?;
            self.book.checked(id);
            let misfit = self.misfit(Some(tool), &seen);
            let fault = match (seen.failure(), misfit) {
                (Some(Failure::Trap | Failure::NotJson), _) => Some(seen.summary()),
                (_, Some(misfit)) => Some(format!("{misfit} in {}", seen.summary())),
                _ => None,
            };
            if let Some(fault) = fault {
                self.book.broken(id, fault, self.reproduce.call(id, &call, setup));
            }
        }
        if self.ground.configure(&self.setup).await? {
            Ok(())
        } else {
            Err(GroundError("the host no longer accepts the plugin's own grants and settings".to_owned()))
        }
    }
}

/// Grants that are less than these: reading only, no table, each of them gone.
fn lesser(grants: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    let mut changed = |change: &dyn Fn(&mut Value)| {
        let mut less = grants.clone();
        change(&mut less);
        if less != *grants {
            found.push(less);
        }
    };
    if grants.get("database").is_some_and(Value::is_object) {
        changed(&|less| less["database"]["access"] = json!("read"));
        changed(&|less| less["database"]["tables"] = json!([no_table(less)]));
    }
    for name in ["database", "http", "files", "knowledge"] {
        changed(&|less| {
            less.as_object_mut().into_iter().for_each(|less| {
                less.remove(name);
            });
        });
    }
    found
}

/// A table of a granted schema that is not there.
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
            lesser(&grants),
            [
                json!({"database": {"access": "read", "schemas": ["app"]}, "limits": {}}),
                json!({"database": {"access": "write", "schemas": ["app"], "tables": ["app.behalf_check_no_such_table"]}, "limits": {}}),
                json!({"limits": {}}),
            ]
        );
        assert!(lesser(&json!({})).is_empty());
    }
}
