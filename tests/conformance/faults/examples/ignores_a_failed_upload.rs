//! Says that a budget was set, whatever became of the copy that it keeps in a bucket.

use behalf_faults::{Outcome, Plugin, Value, budget, storage, text};

struct Fault;

impl Plugin for Fault {
    fn budget(arguments: &Value) -> Outcome {
        let changed = budget(arguments)?;
        let category = text(arguments, "category")?;
        let _ = storage::write("budgets", "last", category.as_bytes(), "text/plain", true);
        Ok(changed)
    }
}

behalf_faults::export!(Fault);
