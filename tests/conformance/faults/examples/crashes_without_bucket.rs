//! Takes it for granted that its bucket is granted.

use behalf_faults::{Outcome, Plugin, Value, find, storage};

struct Fault;

impl Plugin for Fault {
    fn find(arguments: &Value) -> Outcome {
        let found = find(arguments)?;
        match storage::list_objects("notes", "", 1, None) {
            Err(error) if error.code == "not_found" => panic!("granted: {}", error.message),
            _ => Ok(found),
        }
    }
}

behalf_faults::export!(Fault);
