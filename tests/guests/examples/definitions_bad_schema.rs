//! An input schema that is none.

use behalf_guests::json;

behalf_guests::export_definitions!(
    json!([{"name": "bad_schema", "description": "…", "inputSchema": {"type": 12, "properties": []}}]).to_string()
);
