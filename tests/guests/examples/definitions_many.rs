//! A hundred thousand tools.

use behalf_guests::{Value, definition};

behalf_guests::export_definitions!(
    Value::Array((0..100_000).map(|index| definition(&format!("tool_{index}"), "…")).collect()).to_string()
);
