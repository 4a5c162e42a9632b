//! Needs more memory than its project allows.

use behalf_faults::{Outcome, Plugin, Value, find};

struct Fault;

impl Plugin for Fault {
    fn find(arguments: &Value) -> Outcome {
        let eight = vec![1_u8; 8 << 20];
        std::hint::black_box(&eight);
        find(arguments)
    }
}

behalf_faults::export!(Fault);
