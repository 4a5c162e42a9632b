//! Returns everybody's notes.

use behalf_faults::{Outcome, Plugin, Value, everyones_titles, find, json};

struct Fault;

impl Plugin for Fault {
    fn find(arguments: &Value) -> Outcome {
        let mut found = find(arguments)?;
        found["notes"] = json!([{"title": "All", "body": everyones_titles()?}]);
        Ok(found)
    }
}

behalf_faults::export!(Fault);
