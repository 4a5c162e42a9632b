//! Logs three hundred lines.

use behalf_faults::{Outcome, Plugin, Value, asks_for_most, find, log};

struct Fault;

impl Plugin for Fault {
    fn find(arguments: &Value) -> Outcome {
        if asks_for_most(arguments) {
            (0..300).for_each(|row| log::write(log::Level::Info, &format!("row {row}")));
        }
        find(arguments)
    }
}

behalf_faults::export!(Fault);
