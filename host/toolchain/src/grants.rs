//! Grants for a component that comes without a manifest.

use behalf_sandbox::ImportedInterface;
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
    if has("behalf:tool/storage@") {
        grants["storage"] = json!({ "buckets": ["*"], "access": "write" });
    }
    if has("wasi:filesystem/") {
        grants["files"] = json!({ "workspace": "call", "max_bytes": 16 * 1024 * 1024 });
    }
    grants
}
