//! Makes up what is missing.

use behalf_faults::{Outcome, Plugin, Value, add};

struct Fault;

impl Plugin for Fault {
    fn add(arguments: &Value) -> Outcome {
        let mut arguments = arguments.clone();
        if arguments.get("title").is_none() {
            arguments["title"] = "Untitled".into();
        }
        add(&arguments)
    }
}

behalf_faults::export!(Fault);
