//! Does work before it says what it can do.

use std::time::{Duration, Instant};

use behalf_faults::{Plugin, spin};

struct Fault;

impl Plugin for Fault {
    fn definitions() -> String {
        // By the clock and not by rounds: the bound is a time, and processors differ.
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(40) {
            spin(10_000);
        }
        behalf_faults::definitions().to_string()
    }
}

behalf_faults::export!(Fault);
