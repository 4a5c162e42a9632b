//! The messages before a run's own.

use behalf_models::Message;
use serde_json::Value;

use crate::knowledge::{KNOWLEDGE_SEARCH, highest_number};

/// What was said before a run answered.
#[derive(Debug)]
pub(crate) struct Conversation {
    /// Messages of earlier runs: one list per run, oldest first.
    pub(crate) history: Vec<Vec<Message>>,
    /// The user's message that the run answers.
    pub(crate) question: Message,
}

impl Conversation {
    /// Puts the stored messages of earlier runs before those that the client sent. A stored run that cannot be read is left out
    /// whole.
    pub(crate) fn new(stored: Vec<Vec<Value>>, sent: Vec<Vec<Message>>, question: String) -> Self {
        let read = |run: Vec<Value>| run.into_iter().map(serde_json::from_value).collect::<Result<Vec<_>, _>>().ok();
        Self { history: stored.into_iter().filter_map(read).chain(sent).collect(), question: Message::user(question) }
    }

    /// The highest number of a passage that a tool found for an earlier run. A model still reads it, so no other passage may have it.
    pub(crate) fn highest_number(&self) -> Option<u32> {
        let numbers = self.history.iter().flatten().filter_map(|message| match message {
            Message::Tool { name, content, .. } if name == KNOWLEDGE_SEARCH => highest_number(content),
            _ => None,
        });
        numbers.max()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_stored_run_is_read_whole_or_not_at_all() {
        let good = json!([{ "role": "user", "content": "a" }, { "role": "assistant", "content": "b" }]);
        let bad = json!([{ "role": "user", "content": "a" }, { "role": "wizard" }]);
        let stored = [good, bad].map(|run| run.as_array().cloned().unwrap_or_default()).to_vec();
        let conversation = Conversation::new(stored, vec![vec![Message::user("c")]], "d".to_owned());
        assert_eq!(conversation.history, [vec![Message::user("a"), Message::assistant("b")], vec![Message::user("c")]]);
    }
}
