//! Grants for a component that comes without a manifest, and the lines of a manifest that are missing.

use behalf_sandbox::{Grants, ImportedInterface, MemoryAccess};
use serde_json::{Value, json};

/// Grants for everything that a component imports, as far as they can be guessed: which hosts it needs cannot.
pub(crate) fn guessed_grants(imports: &[ImportedInterface]) -> Value {
    let has = |prefix: &str| imports.iter().any(|import| import.name.starts_with(prefix));
    let mut grants = json!({});
    if has("behalf:tool/database@") {
        grants["database"] = json!({ "access": "write", "schemas": ["public"] });
    }
    if has("behalf:tool/knowledge@") {
        grants["knowledge"] = json!({ "knowledge_bases": ["*"] });
    }
    if has("behalf:tool/memory@") {
        grants["memory"] = json!("write");
    }
    if has("behalf:tool/kv@") {
        grants["kv"] = json!({ "access": "write" });
    }
    if has("behalf:tool/storage@") {
        grants["storage"] = json!({ "buckets": ["*"], "access": "write" });
    }
    if has("wasi:filesystem/") {
        grants["files"] = json!({ "workspace": "call", "max_bytes": 16 * 1024 * 1024 });
    }
    grants
}

/// The lines of `plugin.toml` that would give what a component imports and these grants do not, and nothing beyond it.
pub(crate) fn missing_grants(imports: &[ImportedInterface], grants: &Value) -> Vec<&'static str> {
    let Ok(grants) = Grants::from_json(grants.clone()) else { return Vec::new() };
    let lines = [
        (
            "behalf:tool/database@",
            grants.database().is_some(),
            "in plugin.toml, [grants.database]: access = \"read\" and schemas = [\"public\"]",
        ),
        (
            "behalf:tool/knowledge@",
            grants.knowledge().is_some(),
            "in plugin.toml, [grants.knowledge]: knowledge_bases = [\"*\"]",
        ),
        ("behalf:tool/memory@", grants.memory() != MemoryAccess::None, "in plugin.toml, [grants]: memory = \"read\""),
        ("behalf:tool/kv@", grants.kv().is_some(), "in plugin.toml, [grants.kv]: access = \"read\""),
        (
            "behalf:tool/storage@",
            grants.storage().is_some(),
            "in plugin.toml, [grants.storage]: buckets = [\"documents\"] and access = \"read\"",
        ),
        (
            "wasi:http/outgoing-handler@",
            grants.http().is_some(),
            "in plugin.toml, [grants.http]: hosts = [\"api.example.com\"]",
        ),
    ];
    let is_imported = |prefix: &str| imports.iter().any(|import| import.name.starts_with(prefix));
    lines.into_iter().filter(|(prefix, is_given, _)| !is_given && is_imported(prefix)).map(|(.., line)| line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_missing_is_asked_for() {
        let imports =
            ["behalf:tool/database@0.1.0", "behalf:tool/memory@0.1.1", "behalf:tool/kv@0.1.0", "wasi:cli/exit@0.2.0"];
        let imports: Vec<_> =
            imports.map(|name| ImportedInterface { name: name.to_owned(), functions: Vec::new() }).into();
        let database = json!({"access": "read", "schemas": ["public"]});
        assert_eq!(missing_grants(&imports, &json!({})).len(), 3);
        assert_eq!(
            missing_grants(&imports, &json!({ "database": database, "memory": "read" })),
            ["in plugin.toml, [grants.kv]: access = \"read\""]
        );
        assert!(
            missing_grants(&imports, &json!({"database": database, "memory": "write", "kv": {"access": "read"}}))
                .is_empty()
        );
    }
}
