//! Commands that show a finding again.

use serde_json::Value;

use crate::call::Call;
use crate::caller::Caller;
use crate::component::Facts;
use crate::test_bed::Setup;

/// Bytes of a command that a person can still paste.
const MAX_COMMAND: usize = 1_500;

/// Writes the commands that reproduce what was found.
#[derive(Clone, Debug)]
pub(crate) struct Reproduce {
    file: String,
    seed: u64,
}

impl Reproduce {
    pub(crate) fn new(facts: &Facts, seed: u64) -> Self {
        Self { file: quoted(&facts.file), seed }
    }

    /// The command for one call: `tool run` where the arguments are a JSON object and short, else a whole check.
    pub(crate) fn call(&self, id: &str, call: &Call, setup: &Setup) -> String {
        let is_object = serde_json::from_str::<Value>(&call.arguments).is_ok_and(|value| value.is_object());
        let who = match call.caller {
            Caller::Alice | Caller::Bob => format!("--sub {}", call.caller.name()),
            Caller::Anon | Caller::Service => format!("--role {}", call.caller.name()),
        };
        let settings = match setup.settings.as_object() {
            Some(settings) if !settings.is_empty() => format!(" --settings {}", quoted(&setup.settings.to_string())),
            _ => String::new(),
        };
        let command = format!(
            "behalf tool run {} {} {} {who} --grants {}",
            self.file,
            quoted(&call.tool),
            quoted(&call.arguments),
            quoted(&setup.grants.to_string()),
        ) + &settings;
        // Only a check has marked rows.
        let elsewhere = is_object && !id.starts_with("isolation.") && command.len() <= MAX_COMMAND;
        if elsewhere { command } else { self.check(id) }
    }

    /// The command for a whole check, where one call does not show it.
    pub(crate) fn check(&self, id: &str) -> String {
        format!("behalf tool check {} --only {id} --seed {}", self.file, self.seed)
    }

    pub(crate) fn inspect(&self) -> String {
        format!("behalf tool inspect {}", self.file)
    }
}

/// The text as one word for a shell.
fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./@:=+".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_command_can_be_pasted() {
        let facts = Facts { file: "my tool.wasm".to_owned(), ..Facts::default() };
        let reproduce = Reproduce::new(&facts, 7);
        let setup = Setup { grants: json!({}), settings: json!({}) };
        let call = |arguments: &str| Call {
            caller: Caller::Bob,
            tool: "say".to_owned(),
            arguments: arguments.to_owned(),
            keep: false,
        };
        assert_eq!(
            reproduce.call("arguments.fitting", &call("{\"a\": \"it's\"}"), &setup),
            r#"behalf tool run 'my tool.wasm' say '{"a": "it'\''s"}' --sub bob --grants '{}'"#
        );
        assert_eq!(
            reproduce.call("arguments.hostile", &call("[[["), &setup),
            "behalf tool check 'my tool.wasm' --only arguments.hostile --seed 7"
        );
    }
}
