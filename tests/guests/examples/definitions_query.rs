//! Asks the database what its tools are, at a time when there is no caller.

use behalf_guests::{database, definition, json};

behalf_guests::export_definitions!({
    let found = database::query("select current_user::text", &[]);
    json!([definition("curious", &format!("{found:?}"))]).to_string()
});
