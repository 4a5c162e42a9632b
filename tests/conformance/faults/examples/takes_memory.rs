//! Allocates by what an argument says.

use behalf_faults::{Outcome, Plugin, Value, asks_for_most, find};

struct Fault;

impl Plugin for Fault {
    fn find(arguments: &Value) -> Outcome {
        if asks_for_most(arguments) {
            let hundred = vec![1_u8; 100 << 20];
            std::hint::black_box(&hundred);
        }
        find(arguments)
    }
}

behalf_faults::export!(Fault);
