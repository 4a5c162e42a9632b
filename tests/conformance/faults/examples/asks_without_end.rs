//! Asks the host what time is left, again and again.

use behalf_faults::{Outcome, Plugin, Value, asks_for_most, find};

struct Fault;

impl Plugin for Fault {
    fn find(arguments: &Value) -> Outcome {
        if asks_for_most(arguments) {
            (0..60_000).for_each(|_| drop(behalf_faults::caller::get_call()));
        }
        find(arguments)
    }
}

behalf_faults::export!(Fault);
