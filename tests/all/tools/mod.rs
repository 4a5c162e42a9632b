//! Tools: plugins that are uploaded, custom HTTP tools, and tools of MCP servers.

mod custom_tools;
mod effects;
mod knowledge;
mod kv;
mod mcp_servers;
mod memory;
mod page;
mod plugin_secrets;
mod plugins;
mod storage;
mod uploads;
mod values;

use serde_json::{Map, Value, json};

/// A schema whose definitions each stand for twice the next one, reached by references that are percent-encoded. Beside each
/// stands a decoy, which the reference would mean if nobody decoded it.
fn encoded_chain(levels: usize) -> Value {
    let mut definitions = Map::new();
    for level in 0..levels {
        let below = json!({"$ref": format!("#/$defs/%61{}", level + 1)});
        definitions.insert(format!("a{level}"), json!({"allOf": [below, below]}));
        definitions.insert(format!("%61{level}"), json!({}));
    }
    definitions.insert(format!("a{levels}"), json!({"type": "integer"}));
    definitions.insert(format!("%61{levels}"), json!({}));
    json!({"type": "object", "properties": {"n": {"$ref": "#/$defs/%610"}}, "$defs": definitions})
}
