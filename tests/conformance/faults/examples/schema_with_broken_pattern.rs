//! An output schema with a pattern that is none.

use behalf_faults::Plugin;

struct Fault;

impl Plugin for Fault {
    fn definitions() -> String {
        let mut all = behalf_faults::definitions();
        all[1]["outputSchema"]["properties"]["id"]["pattern"] = "(".into();
        all.to_string()
    }
}

behalf_faults::export!(Fault);
