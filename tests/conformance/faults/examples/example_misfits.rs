//! A default that its own schema refuses.

use behalf_faults::Plugin;

struct Fault;

impl Plugin for Fault {
    fn definitions() -> String {
        let mut all = behalf_faults::definitions();
        all[0]["inputSchema"]["properties"]["limit"]["default"] = 0.into();
        all.to_string()
    }
}

behalf_faults::export!(Fault);
