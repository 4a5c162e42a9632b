//! Finds a fault with whatever it is given.

use behalf_faults::{Outcome, Plugin, Value, failed, text};

struct Fault;

impl Plugin for Fault {
    fn add(arguments: &Value) -> Outcome {
        text(arguments, "title")?;
        Err(failed("The notes are not set up yet."))
    }
}

behalf_faults::export!(Fault);
