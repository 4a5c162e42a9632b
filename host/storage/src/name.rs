//! Names of buckets and objects, as Supabase Storage allows them.

use crate::error::StorageError;

/// The bucket of the platform's own files, which no caller reaches.
const PLATFORM: &str = "sources";

/// Beyond that, the database's index takes no name.
const MAX_OBJECT_NAME: usize = 1024;

const MARKS: &[u8] = b"_!.*'() &$=@;:+,?-";

/// The id of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BucketId(String);

impl BucketId {
    /// A bucket that a request names.
    pub(crate) fn parse(text: &str) -> Result<Self, StorageError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || MARKS.contains(&byte);
        if text == PLATFORM {
            return Err(StorageError::no_bucket());
        }
        if (1..=100).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Self::invalid())
        }
    }

    /// The id of a bucket that is to be made: the platform's own is nobody's, and blanks at an end are refused.
    pub(crate) fn parse_new(text: &str) -> Result<Self, StorageError> {
        if text == PLATFORM || text.trim() != text {
            return Err(Self::invalid());
        }
        Self::parse(text)
    }

    /// It as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    fn invalid() -> StorageError {
        StorageError::new(400, "InvalidBucketName", "Bucket name invalid").named("Invalid Input")
    }
}

/// The name of an object in its bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ObjectName(String);

impl ObjectName {
    /// An object that a request names.
    pub(crate) fn parse(text: &str) -> Result<Self, StorageError> {
        let allowed = |byte: u8| byte == b'/' || byte.is_ascii_alphanumeric() || MARKS.contains(&byte);
        if (1..=MAX_OBJECT_NAME).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(StorageError::new(400, "InvalidKey", format!("Invalid key: {text}")))
        }
    }

    /// It as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}
