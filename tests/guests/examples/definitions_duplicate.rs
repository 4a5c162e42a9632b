//! Two tools of one name.

use behalf_guests::{Value, definition};

behalf_guests::export_definitions!(
    Value::Array(vec![definition("twice", "the one"), definition("twice", "the other")]).to_string()
);
