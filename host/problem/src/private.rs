//! Texts that guests, servers, models and callers wrote. They may hold rows and secrets, so no log line may hold them.

use std::fmt;

/// Such a text. It cannot be printed or serialized; whoever needs it says for whom.
#[derive(Clone, PartialEq, Eq)]
pub struct Private(String);

impl Private {
    /// For the party that made the call, which gets the text in its answer: a client, a model, or the guest itself.
    pub fn for_caller(&self) -> &str {
        &self.0
    }

    /// For the record of the call, which only the service role reads, for some days.
    pub fn for_record(&self) -> &str {
        &self.0
    }

    /// For the terminal of an author who tries a tool.
    pub fn for_terminal(&self) -> &str {
        &self.0
    }

    /// Whether the text begins so.
    pub fn starts_with(&self, prefix: &str) -> bool {
        self.0.starts_with(prefix)
    }

    /// The text with a change.
    #[must_use]
    pub fn map(self, change: impl FnOnce(String) -> String) -> Self {
        Self(change(self.0))
    }
}

impl From<String> for Private {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Private {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Private({} bytes)", self.0.len())
    }
}
