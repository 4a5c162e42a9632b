//! Passes on what a debugger would want.

use behalf_faults::{Outcome, Plugin, Value, failed, find};

struct Fault;

impl Plugin for Fault {
    fn find(arguments: &Value) -> Outcome {
        if arguments["search"] == "%" {
            return Err(failed("thread 'main' panicked at src/lib.rs:7:13: no percent"));
        }
        find(arguments)
    }
}

behalf_faults::export!(Fault);
