//! Says that a note was added, whatever the database said.

use behalf_faults::{Outcome, Plugin, Value, insert, json, text};

struct Fault;

impl Plugin for Fault {
    fn add(arguments: &Value) -> Outcome {
        let title = text(arguments, "title")?;
        let _ = insert(title, "");
        Ok(json!({"id": "added"}))
    }
}

behalf_faults::export!(Fault);
