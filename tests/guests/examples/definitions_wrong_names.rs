//! Names that are not tool names.

use behalf_guests::{Value, definition};

behalf_guests::export_definitions!({
    let long = "x".repeat(65);
    let names = ["", "Upper", "1st", "with space", "../up", "dröhn", "a\u{0}b", "a\"b", "a-b", &long];
    Value::Array(names.map(|name| definition(name, "…")).into()).to_string()
});
