//! Crashes when asked for its tools.

use behalf_faults::Plugin;

struct Fault;

impl Plugin for Fault {
    fn definitions() -> String {
        let none: Option<String> = std::hint::black_box(None);
        none.expect("definitions")
    }
}

behalf_faults::export!(Fault);
