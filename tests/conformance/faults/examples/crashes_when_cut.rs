//! Takes it for granted that an answer is whole.

use behalf_faults::{Outcome, Plugin, Value, found, select};

struct Fault;

impl Plugin for Fault {
    fn find(arguments: &Value) -> Outcome {
        let rows = select(arguments)?;
        assert!(!rows.truncated, "all rows");
        Ok(found(&rows))
    }
}

behalf_faults::export!(Fault);
