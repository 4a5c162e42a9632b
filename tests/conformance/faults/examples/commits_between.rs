//! Commits one half of its work before the other.

use behalf_faults::{Outcome, Plugin, Value, add, database, execute, json, parameter, said};

struct Fault;

impl Plugin for Fault {
    fn add(arguments: &Value) -> Outcome {
        let id = add(arguments)?["id"].as_str().unwrap_or_default().to_owned();
        database::commit().map_err(said)?;
        std::thread::sleep(std::time::Duration::from_millis(40));
        execute("update public.notes set body = body || ' (whole)' where id = $1::uuid", &[parameter(&id)])?;
        Ok(json!({"id": id}))
    }
}

behalf_faults::export!(Fault);
