//! Names two tools the same.

use behalf_faults::Plugin;

struct Fault;

impl Plugin for Fault {
    fn definitions() -> String {
        let mut all = behalf_faults::definitions();
        all[1]["name"] = "find_notes".into();
        all.to_string()
    }
}

behalf_faults::export!(Fault);
