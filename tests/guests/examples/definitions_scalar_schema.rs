//! An input schema that no object satisfies.

use behalf_guests::json;

behalf_guests::export_definitions!(
    json!([{"name": "scalar_schema", "description": "…", "inputSchema": {"type": "string"}}]).to_string()
);
