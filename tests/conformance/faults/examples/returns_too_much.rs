//! Returns two megabytes.

use behalf_faults::{Outcome, Plugin, Value, asks_for_most, find, json};

struct Fault;

impl Plugin for Fault {
    fn find(arguments: &Value) -> Outcome {
        let mut found = find(arguments)?;
        if asks_for_most(arguments) {
            let long = "x".repeat(2 << 20);
            found["notes"] = json!([{"title": "Long", "body": long}]);
        }
        Ok(found)
    }
}

behalf_faults::export!(Fault);
