//! Takes it for granted that a setting is set.

use behalf_faults::{Outcome, Plugin, Value, find};

struct Fault;

impl Plugin for Fault {
    fn find(arguments: &Value) -> Outcome {
        let all: Value = serde_json::from_str(&behalf_faults::settings::get_all()).unwrap_or_default();
        std::hint::black_box(all["page"].as_u64().expect("a page size"));
        find(arguments)
    }
}

behalf_faults::export!(Fault);
