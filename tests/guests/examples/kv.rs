//! Works on the plugin's own store and on nothing else: a tool that says nothing of itself, and one that says it only reads.

use behalf_guests::store::{STEPS, step};
use behalf_guests::{Value, failed, json};

struct Component;

impl behalf_guests::Guest for Component {
    fn definitions() -> String {
        let silent = behalf_guests::definition("entries", STEPS);
        let mut reading = behalf_guests::definition("reading_entries", STEPS);
        reading["annotations"] = json!({"readOnlyHint": true});
        json!([silent, reading]).to_string()
    }

    fn call(_name: String, arguments: String) -> Result<String, behalf_guests::Error> {
        let arguments: Value = serde_json::from_str(&arguments).map_err(|error| failed(&error.to_string()))?;
        let steps = arguments["steps"].as_array().into_iter().flatten();
        let done: Vec<_> = steps.map(step).collect();
        // A call that fails, or crashes, after what it did.
        match arguments["end"].as_str() {
            Some("error") => Err(failed("as told")),
            Some("trap") => std::process::abort(),
            _ => Ok(Value::Array(done).to_string()),
        }
    }
}

behalf_guests::bindings::export_component!(Component with_types_in behalf_guests::bindings);
