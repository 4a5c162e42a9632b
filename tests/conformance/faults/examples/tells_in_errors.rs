//! Names everybody's notes where it fails.

use behalf_faults::{Outcome, Plugin, Value, everyones_titles, failed, find};

struct Fault;

impl Plugin for Fault {
    fn find(arguments: &Value) -> Outcome {
        if arguments["search"] == "%" {
            return Err(failed(&format!("No note fits, there are {}.", everyones_titles()?)));
        }
        find(arguments)
    }
}

behalf_faults::export!(Fault);
