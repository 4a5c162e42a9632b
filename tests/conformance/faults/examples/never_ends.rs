//! Loops for some arguments.

use behalf_faults::{Outcome, Plugin, Value, asks_for_most, find};

struct Fault;

impl Plugin for Fault {
    fn find(arguments: &Value) -> Outcome {
        while asks_for_most(arguments) {
            std::hint::spin_loop();
        }
        find(arguments)
    }
}

behalf_faults::export!(Fault);
