//! Asks who the caller is at a time when there is none.

use behalf_guests::{caller, definition, json};

behalf_guests::export_definitions!(
    json!([definition("curious", &format!("{:?}", caller::get_identity()))]).to_string()
);
