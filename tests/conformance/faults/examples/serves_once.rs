//! Serves one call, and crashes at the next.

use std::sync::atomic::{AtomicBool, Ordering};

use behalf_faults::{Outcome, Plugin, Value, find};

static SERVED: AtomicBool = AtomicBool::new(false);

struct Fault;

impl Plugin for Fault {
    fn find(arguments: &Value) -> Outcome {
        assert!(!SERVED.swap(true, Ordering::Relaxed), "a new instance");
        find(arguments)
    }
}

behalf_faults::export!(Fault);
