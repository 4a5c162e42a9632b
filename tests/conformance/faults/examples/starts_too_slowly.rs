//! Does work before it says what it can do.

use behalf_faults::{Plugin, spin};

struct Fault;

impl Plugin for Fault {
    fn definitions() -> String {
        spin(100_000_000);
        behalf_faults::definitions().to_string()
    }
}

behalf_faults::export!(Fault);
