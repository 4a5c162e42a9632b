//! The id of an upload in its address: `bucket/name/version` in base64.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use crate::name::{BucketId, ObjectName};

/// Names an upload: its object and the id of its bytes, which only whoever began it knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UploadId {
    pub(super) bucket: BucketId,
    pub(super) name: ObjectName,
    pub(super) version: Uuid,
}

impl UploadId {
    /// Reads the last part of an address. `None` where it names no upload.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let id = String::from_utf8(URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?).ok()?;
        let (bucket, rest) = id.split_once('/')?;
        let (name, version) = rest.rsplit_once('/')?;
        Some(Self {
            bucket: BucketId::parse(bucket).ok()?,
            name: ObjectName::parse(name).ok()?,
            version: Uuid::try_parse(version).ok()?,
        })
    }

    /// It as the last part of an address.
    pub(super) fn write(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}/{}/{}", self.bucket.as_str(), self.name.as_str(), self.version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_was_written() {
        let id = UploadId {
            bucket: BucketId::parse("avatars").expect("a bucket"),
            name: ObjectName::parse("folder//cat one.png").expect("a name"),
            version: Uuid::from_u128(7),
        };
        assert_eq!(UploadId::parse(&id.write()), Some(id));
    }

    #[test]
    fn what_names_no_upload_is_no_id() {
        let written = |text: &str| URL_SAFE_NO_PAD.encode(text);
        for bad in [
            String::new(),
            "?".to_owned(),
            written("avatars"),
            written("avatars/name"),
            written("avatars/name/missing-version"),
            written("/name/00000000-0000-0000-0000-000000000007"),
            written("sources/name/00000000-0000-0000-0000-000000000007"),
            URL_SAFE_NO_PAD.encode([0xff, b'/', 0xfe]),
        ] {
            assert_eq!(UploadId::parse(&bad), None, "{bad}");
        }
    }
}
