//! An object as its row describes it.

use serde_json::{Map, Value};
use uuid::Uuid;

/// An object, without its bytes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Object {
    /// Its id.
    pub(crate) id: String,
    /// Its bucket.
    pub(crate) bucket: String,
    /// Its name.
    pub(crate) name: String,
    /// Which bytes it has: the id of a blob.
    pub(crate) version: Option<String>,
    /// Whose it is.
    pub(crate) owner: Option<String>,
    /// What the host keeps of its bytes, such as their type.
    pub(crate) metadata: Option<Value>,
    /// What its uploader keeps of it.
    pub(crate) user_metadata: Option<Value>,
    /// When the row was made: in UTC, with milliseconds.
    pub(crate) created_at: Option<String>,
    /// When it was last changed.
    pub(crate) updated_at: Option<String>,
}

/// A row to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewObject<'a> {
    /// Its bucket.
    pub(crate) bucket: &'a str,
    /// Its name.
    pub(crate) name: &'a str,
    /// The id of the blob; none where the right to write is tried, before there is one.
    pub(crate) version: Option<&'a str>,
    /// Whose it is; none for callers that are no users.
    pub(crate) owner: Option<&'a str>,
    /// What the host keeps of the bytes, as JSON.
    pub(crate) metadata: &'a str,
    /// What its uploader keeps of it, as JSON.
    pub(crate) user_metadata: Option<&'a str>,
}

/// How often a name may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overwrite {
    /// An object that is there already is a failure.
    No,
    /// It is replaced.
    Yes,
}

impl Object {
    /// A text of the metadata.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.metadata.as_ref()?.get(name)?.as_str()
    }

    /// A number of the metadata. Clients of other services wrote some as text.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        let value = self.metadata.as_ref()?.get(name)?;
        value.as_u64().or_else(|| value.as_str()?.parse().ok())
    }
}

impl<'a> NewObject<'a> {
    /// The owner where it is a UUID, as the older column wants it.
    pub(crate) fn owner_uuid(&self) -> Option<String> {
        self.owner.and_then(|owner| Uuid::try_parse(owner).ok()).map(|owner| owner.to_string())
    }

    /// The same row with its bytes.
    pub(crate) fn with_version(self, version: &'a str) -> Self {
        Self { version: Some(version), ..self }
    }
}

/// What a client sent as its own metadata: an object, or nothing.
pub(crate) fn user_metadata(json: &[u8]) -> Option<Map<String, Value>> {
    match serde_json::from_slice(json) {
        Ok(Value::Object(map)) => Some(map),
        _ => None,
    }
}
