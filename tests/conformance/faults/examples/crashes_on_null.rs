//! Takes it for granted that text is not null.

use behalf_faults::{Outcome, Plugin, Value, find};

struct Fault;

impl Plugin for Fault {
    fn find(arguments: &Value) -> Outcome {
        if let Some(search) = arguments.get("search") {
            std::hint::black_box(search.as_str().or(Some("")).filter(|_| !search.is_null()).expect("a text"));
        }
        find(arguments)
    }
}

behalf_faults::export!(Fault);
