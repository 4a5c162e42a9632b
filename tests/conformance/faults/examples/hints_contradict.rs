//! Says that it only reads, and that it destroys.

use behalf_faults::Plugin;

struct Fault;

impl Plugin for Fault {
    fn definitions() -> String {
        let mut all = behalf_faults::definitions();
        all[0]["annotations"]["destructiveHint"] = true.into();
        all.to_string()
    }
}

behalf_faults::export!(Fault);
