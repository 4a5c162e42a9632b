//! Describes its tool differently in every instance.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::OnceLock;

use behalf_faults::Plugin;

static LOT: OnceLock<u64> = OnceLock::new();

struct Fault;

impl Plugin for Fault {
    fn definitions() -> String {
        let lot = LOT.get_or_init(|| RandomState::new().hash_one(1));
        let mut all = behalf_faults::definitions();
        all[0]["description"] = format!("The caller's notes, lot {lot}.").into();
        all.to_string()
    }
}

behalf_faults::export!(Fault);
