//! Says that a budget was set, whatever became of what it wants to remember of it.

use behalf_faults::{Outcome, Plugin, Value, budget, memory, text};

struct Fault;

impl Plugin for Fault {
    fn budget(arguments: &Value) -> Outcome {
        let changed = budget(arguments)?;
        let category = text(arguments, "category")?;
        let _ = memory::remember(category, "{}");
        Ok(changed)
    }
}

behalf_faults::export!(Fault);
