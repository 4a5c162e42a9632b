//! Where a list of objects goes on.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::error::StorageError;

/// The longest cursor that is read: a name and a moment.
const MAX_CURSOR: usize = 8 * 1024;

/// What a list is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Column {
    /// The name, by its bytes.
    #[default]
    #[serde(rename = "name")]
    Name,
    /// When it was made.
    #[serde(rename = "created_at")]
    CreatedAt,
    /// When it was changed.
    #[serde(rename = "updated_at")]
    UpdatedAt,
}

impl Column {
    /// Its name in SQL.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::CreatedAt => "created_at",
            Self::UpdatedAt => "updated_at",
        }
    }
}

/// The last entry of a page, and how the list is sorted. Clients send it back as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cursor {
    /// The name of the last entry; a folder's ends with a slash.
    #[serde(rename = "l")]
    pub(crate) last: String,
    /// Whether the list is sorted downwards.
    #[serde(rename = "d", default)]
    pub(crate) descending: bool,
    /// What it is sorted by.
    #[serde(rename = "c", default)]
    pub(crate) column: Column,
    /// When the last entry was made or changed, if the list is sorted by that.
    #[serde(rename = "a", default)]
    pub(crate) at: String,
}

impl Cursor {
    /// It as clients get it.
    pub(crate) fn encode(&self) -> String {
        STANDARD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    /// Reads what a client sent back.
    pub(crate) fn decode(text: &str) -> Result<Self, StorageError> {
        let wrong = || StorageError::new(400, "InvalidParameter", "Invalid Parameter continuation token");
        if text.len() > MAX_CURSOR {
            return Err(wrong());
        }
        let bytes = STANDARD.decode(text).map_err(|_| wrong())?;
        let cursor: Self = serde_json::from_slice(&bytes).map_err(|_| wrong())?;
        if cursor.last.contains('\0') || (cursor.column != Column::Name) != is_moment(&cursor.at) {
            return Err(wrong());
        }
        Ok(cursor)
    }
}

/// Whether it is a moment as this host writes it.
fn is_moment(text: &str) -> bool {
    chrono::DateTime::parse_from_rfc3339(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_was_and_nothing_else_is_one() {
        let by_name = Cursor { last: "a/b\n/".to_owned(), descending: true, column: Column::Name, at: String::new() };
        let at = "2026-01-02T03:04:05.678901Z".to_owned();
        let by_time = Cursor { last: "a".to_owned(), descending: false, column: Column::CreatedAt, at };
        for cursor in [&by_name, &by_time] {
            assert_eq!(Cursor::decode(&cursor.encode()).ok().as_ref(), Some(cursor));
        }
        let untimely = Cursor { at: "'; drop".to_owned(), ..by_time };
        let nul = Cursor { last: "\0".to_owned(), ..by_name };
        let long = "A".repeat(MAX_CURSOR + 4);
        for text in ["", "e30=", "!", &untimely.encode(), &nul.encode(), &long] {
            assert!(Cursor::decode(text).is_err(), "{text:.40}");
        }
    }
}
