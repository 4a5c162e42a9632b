//! Keeps what it found for the next call, whoever makes it.

use std::sync::OnceLock;

use behalf_faults::{Outcome, Plugin, Value, find};

static FIRST: OnceLock<Value> = OnceLock::new();

struct Fault;

impl Plugin for Fault {
    fn find(arguments: &Value) -> Outcome {
        if let Some(first) = FIRST.get() {
            return Ok(first.clone());
        }
        let found = find(arguments)?;
        FIRST.set(found.clone()).ok();
        Ok(found)
    }
}

behalf_faults::export!(Fault);
