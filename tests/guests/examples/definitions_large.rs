//! One definition of 10 MB.

use behalf_guests::{Value, definition};

behalf_guests::export_definitions!(Value::Array(vec![definition("large", &"x".repeat(10_000_000))]).to_string());
