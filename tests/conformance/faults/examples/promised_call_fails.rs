//! Refuses the very call that its project lists.

use behalf_faults::{Outcome, Plugin, Value, failed, find};

struct Fault;

impl Plugin for Fault {
    fn find(arguments: &Value) -> Outcome {
        if arguments["search"] == "garden" {
            return Err(failed("There is nothing about gardens here."));
        }
        find(arguments)
    }
}

behalf_faults::export!(Fault);
