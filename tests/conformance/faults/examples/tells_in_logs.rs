//! Logs everybody's notes.

use behalf_faults::{Outcome, Plugin, Value, everyones_titles, find, log};

struct Fault;

impl Plugin for Fault {
    fn find(arguments: &Value) -> Outcome {
        log::write(log::Level::Debug, &everyones_titles()?);
        find(arguments)
    }
}

behalf_faults::export!(Fault);
