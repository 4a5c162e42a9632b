//! Fails without a word.

use behalf_faults::{Outcome, Plugin, Value, failed, find};

struct Fault;

impl Plugin for Fault {
    fn find(arguments: &Value) -> Outcome {
        if arguments["search"] == "%" {
            return Err(failed(""));
        }
        find(arguments)
    }
}

behalf_faults::export!(Fault);
