//! Commits, and then finds the title too long.

use behalf_faults::{Outcome, Plugin, Value, add, database, failed, said};

struct Fault;

impl Plugin for Fault {
    fn add(arguments: &Value) -> Outcome {
        let added = add(arguments)?;
        database::commit().map_err(said)?;
        let title = arguments["title"].as_str().unwrap_or_default();
        if title.chars().count() > 100 { Err(failed("The title is too long.")) } else { Ok(added) }
    }
}

behalf_faults::export!(Fault);
