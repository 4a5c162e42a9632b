//! What the host keeps of an object's bytes, in the column `metadata`.

use behalf_blobs::Stored;
use chrono::SecondsFormat;
use serde_json::{Map, Value, json};

use crate::error::StorageError;

/// The type of bytes of which nobody says more.
pub(crate) const ANY_TYPE: &str = "application/octet-stream";
/// How long browsers keep an object of which nobody says more: they ask each time.
pub(crate) const NO_CACHE: &str = "no-cache";

/// What a client says of the bytes that it sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Their media type.
    pub(crate) mime_type: String,
    /// The header `cache-control` of their downloads.
    pub(crate) cache_control: String,
    /// The header `x-robots-tag` of their downloads.
    pub(crate) robots: Option<String>,
}

impl Facts {
    /// The column before the bytes are there, for the policies that look at it. `length` is what the request says.
    pub(crate) fn expected(&self, length: Option<u64>) -> String {
        let mut column = Map::new();
        column.insert("mimetype".to_owned(), json!(self.mime_type));
        if let Some(length) = length {
            column.insert("contentLength".to_owned(), json!(length));
        }
        Value::Object(column).to_string()
    }

    /// The column once the bytes are stored.
    pub(crate) fn stored(&self, stored: &Stored) -> String {
        let mut column = json!({
            "eTag": stored.etag,
            "size": stored.size,
            "mimetype": self.mime_type,
            "cacheControl": self.cache_control,
            "lastModified": stored.modified.to_rfc3339_opts(SecondsFormat::Millis, true),
            "contentLength": stored.size,
            "httpStatusCode": 200,
        });
        if let (Some(robots), Value::Object(column)) = (&self.robots, &mut column) {
            column.insert("xRobotsTag".to_owned(), json!(robots));
        }
        column.to_string()
    }
}

/// Whether the header of a request has the form of a media type.
pub(crate) fn check_header(value: &str) -> Result<(), StorageError> {
    essence(value).map(drop).ok_or_else(|| wrong_type("Invalid Content-Type header".to_owned()))
}

/// Whether a bucket takes bytes of this type. `allowed` is empty where it takes any.
pub(crate) fn check_allowed(mime_type: &str, allowed: &[String]) -> Result<(), StorageError> {
    let mut parts = mime_type.split('/');
    let (kind, subtype) = (parts.next().unwrap_or_default(), parts.next());
    let fits = |one: &String| {
        let (of_kind, of_subtype) = one.split_once('/').unwrap_or((one, ""));
        of_kind == kind && (of_subtype == "*" || Some(of_subtype) == subtype)
    };
    if allowed.is_empty() || (subtype.is_some() && allowed.iter().any(fits)) {
        return Ok(());
    }
    Err(wrong_type(format!("mime type {mime_type} is not supported")))
}

/// The refusal of a type.
pub(crate) fn wrong_type(message: String) -> StorageError {
    StorageError::new(415, "InvalidMimeType", message).named("invalid_mime_type")
}

/// The two parts of a media type, without its parameters.
pub(crate) fn essence(value: &str) -> Option<(&str, &str)> {
    let (kind, subtype) = value.split(';').next()?.trim().split_once('/')?;
    let is_token = |text: &str| !text.is_empty() && text.bytes().all(is_token_byte);
    (is_token(kind) && is_token(subtype)).then_some((kind, subtype))
}

/// Whether a byte may be in a token of a header (RFC 9110, section 5.6.2).
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_takes_the_types_of_its_list() {
        let list = |types: &[&str]| -> Vec<String> { types.iter().map(|one| (*one).to_owned()).collect() };
        for (mime_type, allowed, fits) in [
            ("image/png", list(&[]), true),
            ("anything", list(&[]), true),
            ("image/png", list(&["image/png"]), true),
            ("image/png", list(&["text/plain", "image/*"]), true),
            ("image/png", list(&["image/jpeg"]), false),
            ("image/png; charset=utf-8", list(&["image/png"]), false),
            ("image/png; charset=utf-8", list(&["image/*"]), true),
            ("image", list(&["image/*"]), false),
            ("imageX/png", list(&["image/*"]), false),
            ("IMAGE/png", list(&["image/png"]), false),
        ] {
            assert_eq!(check_allowed(mime_type, &allowed).is_ok(), fits, "{mime_type} {allowed:?}");
        }
    }

    #[test]
    fn a_header_is_a_media_type_or_refused() {
        for good in ["image/png", "text/plain;charset=UTF-8", "application/vnd.api+json; a=b", "x/y"] {
            assert!(check_header(good).is_ok(), "{good}");
        }
        for bad in ["", "image", "image/", "/png", "image/\tjpg", "image / png", "a b/c", "image/png,text/html"] {
            assert!(check_header(bad).is_err(), "{bad}");
        }
    }
}
