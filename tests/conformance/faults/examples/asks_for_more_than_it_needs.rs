//! Asks for the right to write, and says of all that it does that it only reads.

use behalf_faults::{Plugin, json};

struct Fault;

impl Plugin for Fault {
    fn definitions() -> String {
        json!([behalf_faults::definitions()[0]]).to_string()
    }
}

behalf_faults::export!(Fault);
