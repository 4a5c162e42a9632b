//! Parses `/tool_name {…}`, a message that names the tool to call.

use serde_json::{Map, Value};

/// A tool to call, with its arguments.
#[derive(Debug, PartialEq)]
pub(super) struct Command {
    pub(super) tool: String,
    pub(super) arguments: Value,
}

impl Command {
    /// Parses a command. Returns `None` if the message is no command, and a sentence if its arguments cannot be parsed.
    pub(super) fn read(message: &str) -> Option<Result<Self, String>> {
        let rest = message.trim().strip_prefix('/')?;
        let end = rest.find(|c: char| c.is_whitespace() || c == '{').unwrap_or(rest.len());
        let (tool, arguments) = rest.split_at(end);
        // "/usr/bin is where?" is a question, not a command.
        if tool.is_empty() || !tool.chars().all(|c| c.is_ascii_alphanumeric() || "_-.:".contains(c)) {
            return None;
        }
        Some(read_arguments(tool, arguments.trim()).map(|arguments| Self { tool: tool.to_owned(), arguments }))
    }
}

fn read_arguments(tool: &str, text: &str) -> Result<Value, String> {
    if text.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    match serde_json::from_str(text) {
        Ok(arguments @ Value::Object(_)) => Ok(arguments),
        Ok(_) => Err(format!("The arguments of `/{tool}` must be a JSON object, such as `{{\"name\": \"value\"}}`.")),
        Err(fault) => Err(format!("The arguments of `/{tool}` are not JSON ({fault}), so I called nothing.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn command(message: &str) -> Option<(String, Value)> {
        Command::read(message)?.ok().map(|command| (command.tool, command.arguments))
    }

    #[test]
    fn a_slash_and_a_name_make_a_command() {
        assert_eq!(command("/list_notes"), Some(("list_notes".to_owned(), json!({}))));
        assert_eq!(command("  /add {\"a\": 1}\n"), Some(("add".to_owned(), json!({"a": 1}))));
        assert_eq!(command("/add{\"a\":\n[1]}"), Some(("add".to_owned(), json!({"a": [1]}))));
    }

    #[test]
    fn other_messages_are_not_commands() {
        for message in ["list notes", "/", "/ list", "/usr/bin is where?", "/wörk", ""] {
            assert_eq!(Command::read(message), None, "{message}");
        }
    }

    #[test]
    fn arguments_that_cannot_be_read_are_named() {
        for message in ["/add {\"a\":", "/add nonsense", "/add {} {}"] {
            let fault = Command::read(message).and_then(Result::err).unwrap_or_default();
            assert!(fault.contains("`/add` are not JSON"), "{message}: {fault}");
        }
        let fault = Command::read("/add [1]").and_then(Result::err).unwrap_or_default();
        assert!(fault.contains("must be a JSON object"), "{fault}");
        let deep = format!("/add {}", "[".repeat(100_000));
        assert!(matches!(Command::read(&deep), Some(Err(_))));
    }
}
