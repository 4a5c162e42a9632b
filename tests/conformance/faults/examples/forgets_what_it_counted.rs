//! Says that a budget was set, whatever became of what it wants to keep of it in its store.

use behalf_faults::{Outcome, Plugin, Value, budget, kv, text};

struct Fault;

impl Plugin for Fault {
    fn budget(arguments: &Value) -> Outcome {
        let changed = budget(arguments)?;
        let category = Value::from(text(arguments, "category")?);
        let _ = kv::set("last", &category.to_string());
        Ok(changed)
    }
}

behalf_faults::export!(Fault);
