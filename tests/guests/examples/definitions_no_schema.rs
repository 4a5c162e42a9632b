//! A tool without an input schema.

behalf_guests::export_definitions!(String::from("[{\"name\": \"no_schema\", \"description\": \"takes anything\"}]"));
