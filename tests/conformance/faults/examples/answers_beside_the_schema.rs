//! Returns text where its schema promises a boolean.

use behalf_faults::{Outcome, Plugin, Value, find};

struct Fault;

impl Plugin for Fault {
    fn find(arguments: &Value) -> Outcome {
        let mut found = find(arguments)?;
        found["truncated"] = "no".into();
        Ok(found)
    }
}

behalf_faults::export!(Fault);
