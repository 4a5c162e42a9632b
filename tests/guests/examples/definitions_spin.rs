//! Never says what its tools are.

behalf_guests::export_definitions!(behalf_guests::spin());
