//! An input schema that refers to nothing but itself.

use behalf_guests::json;

behalf_guests::export_definitions!(
    json!([{"name": "circular", "description": "…", "inputSchema": {"type": "object", "allOf": [{"$ref": "#"}]}}])
        .to_string()
);
