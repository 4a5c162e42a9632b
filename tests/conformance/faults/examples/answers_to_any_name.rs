//! Answers to names that it does not have.

use behalf_faults::{Error, Plugin, object};

struct Fault;

impl Plugin for Fault {
    fn call(name: &str, arguments: &str) -> Result<String, Error> {
        let arguments = object(arguments)?;
        let result = match name {
            "add_note" => Self::add(&arguments),
            "set_budget" => Self::budget(&arguments),
            _ => Self::find(&arguments),
        };
        result.map(|result| result.to_string())
    }
}

behalf_faults::export!(Fault);
