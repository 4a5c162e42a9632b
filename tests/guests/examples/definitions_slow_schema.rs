//! Input schemas that are small and cost a lot: patterns that backtrack or that expand, alternatives that multiply.

use behalf_guests::{Value, json};

/// Each level tries the one below it twice.
fn doubled(depth: u32) -> Value {
    let mut levels = serde_json::Map::new();
    for level in 0..depth {
        let below = json!({"$ref": format!("#/$defs/level{}", level + 1)});
        levels.insert(format!("level{level}"), json!({"oneOf": [below, below, {"const": 0}]}));
    }
    levels.insert(format!("level{depth}"), json!({"type": "number"}));
    json!({"type": "object", "properties": {"text": {"$ref": "#/$defs/level0"}}, "$defs": levels})
}

fn pattern(pattern: &str) -> Value {
    json!({"type": "object", "properties": {"text": {"type": "string", "pattern": pattern}}})
}

behalf_guests::export_definitions!(
    json!([
        {"name": "backtracking", "description": "…", "inputSchema": pattern(r"^(?=((a+)+)b)(\w+\s?)*$")},
        {"name": "expanding", "description": "…", "inputSchema": pattern("((((x{1,100}){1,100}){1,100}){1,100}){1,100}")},
        {"name": "doubling", "description": "…", "inputSchema": doubled(40)},
    ])
    .to_string()
);
