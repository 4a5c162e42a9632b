//! What a bucket takes.

use super::facts;
use crate::error::StorageError;
use crate::store::objects::BucketLook;

/// The end of names by which clients keep a folder that has no objects.
const EMPTY_FOLDER: &str = ".emptyFolderPlaceholder";

/// What a bucket takes under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rules {
    size_limit: u64,
    allowed_mime_types: Vec<String>,
}

impl Rules {
    /// The rules of a bucket on a host whose objects have at most `most` bytes.
    pub(super) fn new(bucket: BucketLook, name: &str, most: u64) -> Self {
        if name.ends_with(EMPTY_FOLDER) {
            return Self { size_limit: 0, allowed_mime_types: Vec::new() };
        }
        let size_limit = bucket.file_size_limit.map_or(most, |limit| limit.min(most));
        Self { size_limit, allowed_mime_types: bucket.allowed_mime_types }
    }

    /// The most bytes.
    pub(super) fn size_limit(&self) -> u64 {
        self.size_limit
    }

    /// Refuses bytes of a type that the bucket does not take.
    pub(super) fn check_type(&self, mime_type: &str) -> Result<(), StorageError> {
        facts::check_allowed(mime_type, &self.allowed_mime_types)
    }

    /// Refuses a length that is too large, before the first byte.
    pub(super) fn check_length(&self, length: Option<u64>) -> Result<(), StorageError> {
        match length {
            Some(length) if length > self.size_limit => Err(super::too_large("object")),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smaller_limit_counts_and_a_placeholder_has_no_bytes() {
        let bucket = |limit| BucketLook {
            public: false,
            file_size_limit: limit,
            allowed_mime_types: vec!["image/png".to_owned()],
        };
        for (limit, name, size) in
            [(None, "a", 100), (Some(10), "a", 10), (Some(1000), "a", 100), (None, "x/.emptyFolderPlaceholder", 0)]
        {
            let rules = Rules::new(bucket(limit), name, 100);
            assert_eq!(rules.size_limit(), size, "{limit:?} {name}");
            assert!(rules.check_length(Some(size)).is_ok() && rules.check_length(None).is_ok());
            assert!(rules.check_length(Some(size + 1)).is_err());
            assert_eq!(rules.check_type("text/plain").is_ok(), name != "a", "{name}");
        }
    }
}
