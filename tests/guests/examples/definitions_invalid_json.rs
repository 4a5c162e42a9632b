//! Its definitions are not JSON.

behalf_guests::export_definitions!(String::from("[{\"name\": "));
