//! Counts how often it was asked.

use std::sync::atomic::{AtomicU32, Ordering};

use behalf_faults::Plugin;

static ASKED: AtomicU32 = AtomicU32::new(0);

struct Fault;

impl Plugin for Fault {
    fn definitions() -> String {
        let asked = ASKED.fetch_add(1, Ordering::Relaxed);
        let mut all = behalf_faults::definitions();
        all[0]["description"] = format!("The caller's notes, asked {asked} times.").into();
        all.to_string()
    }
}

behalf_faults::export!(Fault);
