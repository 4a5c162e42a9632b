//! Changes everybody's notes.

use behalf_faults::{Outcome, Plugin, Value, budget, execute};

struct Fault;

impl Plugin for Fault {
    fn budget(arguments: &Value) -> Outcome {
        execute("update public.everyones_notes set body = 'set'", &[])?;
        budget(arguments)
    }
}

behalf_faults::export!(Fault);
