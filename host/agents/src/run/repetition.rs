//! Notices a model that makes the same call again and again.

use behalf_models::{Message, ToolCall};
use serde_json::Value;

/// Identical calls in a row that end a run.
const TOO_OFTEN: u32 = 3;

/// Notices a model that makes the same call again and again.
#[derive(Debug, Default)]
pub(crate) struct Repetition {
    last: Option<(String, Value)>,
    count: u32,
}

impl Repetition {
    /// Takes note of the calls that a resumed run has made.
    pub(crate) fn of(messages: &[Message]) -> Self {
        let mut repetition = Self::default();
        for message in messages {
            if let Message::Assistant { tool_calls, .. } = message {
                tool_calls.iter().for_each(|call| repetition.note(call));
            }
        }
        repetition
    }

    /// Takes note of a call; true where it is the third of its kind in a row.
    pub(crate) fn is_too_often(&mut self, call: &ToolCall) -> bool {
        self.note(call);
        self.count >= TOO_OFTEN
    }

    fn note(&mut self, call: &ToolCall) {
        let same =
            self.last.as_ref().is_some_and(|(name, arguments)| *name == call.name && *arguments == call.arguments);
        if same {
            self.count += 1;
        } else {
            self.last = Some((call.name.clone(), call.arguments.clone()));
            self.count = 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn call(name: &str, arguments: Value) -> ToolCall {
        ToolCall { id: "call_1".to_owned(), name: name.to_owned(), arguments }
    }

    #[test]
    fn the_third_identical_call_in_a_row_is_too_often() {
        let mut repetition = Repetition::default();
        assert!(!repetition.is_too_often(&call("a", json!({ "x": 1, "y": 2 }))));
        assert!(!repetition.is_too_often(&call("a", json!({ "y": 2, "x": 1 }))));
        assert!(repetition.is_too_often(&call("a", json!({ "x": 1, "y": 2 }))));
    }

    #[test]
    fn another_call_in_between_begins_the_count_anew() {
        let mut repetition = Repetition::default();
        for arguments in [json!(1), json!(1), json!(2), json!(1), json!(1)] {
            assert!(!repetition.is_too_often(&call("a", arguments)));
        }
        assert!(!repetition.is_too_often(&call("b", json!(1))));
    }
}
