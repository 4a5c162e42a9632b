//! Notifies somebody, or so it believes: the host takes no such statement.

use behalf_faults::{Outcome, Plugin, Value, add, execute};

struct Fault;

impl Plugin for Fault {
    fn add(arguments: &Value) -> Outcome {
        let _ = execute("notify notes, 'one more'", &[]);
        add(arguments)
    }
}

behalf_faults::export!(Fault);
