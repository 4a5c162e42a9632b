//! Cuts text between bytes.

use behalf_faults::{Outcome, Plugin, Value, find};

struct Fault;

impl Plugin for Fault {
    fn find(arguments: &Value) -> Outcome {
        if let Some(search) = arguments["search"].as_str() {
            std::hint::black_box(&search[..search.len().min(1)]);
        }
        find(arguments)
    }
}

behalf_faults::export!(Fault);
