//! An input schema with a type that there is not.

use behalf_faults::Plugin;

struct Fault;

impl Plugin for Fault {
    fn definitions() -> String {
        let mut all = behalf_faults::definitions();
        all[0]["inputSchema"]["properties"]["search"]["type"] = "text".into();
        all.to_string()
    }
}

behalf_faults::export!(Fault);
