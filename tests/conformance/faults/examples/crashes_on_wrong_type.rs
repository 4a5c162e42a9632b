//! Takes it for granted that somebody checked the arguments.

use behalf_faults::{Outcome, Plugin, Value, find};

struct Fault;

impl Plugin for Fault {
    fn find(arguments: &Value) -> Outcome {
        if let Some(limit) = arguments.get("limit") {
            std::hint::black_box(limit.as_f64().expect("a number"));
        }
        find(arguments)
    }
}

behalf_faults::export!(Fault);
