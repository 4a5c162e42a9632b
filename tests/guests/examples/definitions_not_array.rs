//! Its definitions are an object, not an array of them.

behalf_guests::export_definitions!(behalf_guests::definition("alone", "not in an array").to_string());
