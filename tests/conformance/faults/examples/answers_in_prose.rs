//! Answers in prose where nothing was found.

use behalf_faults::{Error, Plugin, find, object, wrong};

struct Fault;

impl Plugin for Fault {
    fn call(name: &str, arguments: &str) -> Result<String, Error> {
        if name == "find_notes" {
            let found = find(&object(arguments)?)?;
            let none = found["notes"].as_array().is_some_and(Vec::is_empty);
            return Ok(if none { "There are no notes.".to_owned() } else { found.to_string() });
        }
        match name {
            "add_note" => Self::add(&object(arguments)?),
            "set_budget" => Self::budget(&object(arguments)?),
            other => Err(wrong(&format!("There is no tool {other:?}."))),
        }
        .map(|result| result.to_string())
    }
}

behalf_faults::export!(Fault);
