//! Says that there is no document where the search failed.

use behalf_faults::{Outcome, Plugin, Value, find, json, knowledge};

struct Fault;

impl Plugin for Fault {
    fn find(arguments: &Value) -> Outcome {
        let mut found = find(arguments)?;
        let passages = knowledge::search("garden", "{}").unwrap_or_default();
        found["notes"] = passages.into_iter().map(|one| json!({"title": one.text, "body": ""})).collect();
        Ok(found)
    }
}

behalf_faults::export!(Fault);
