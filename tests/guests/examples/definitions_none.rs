//! Has no tools.

behalf_guests::export_definitions!(String::from("[]"));
