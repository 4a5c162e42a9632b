//! The headers of a request of TUS.

use axum::http::HeaderMap;
use http::Method;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};

use super::answer::TusError;
use super::metadata;
use crate::store::uploads::Metadata;

/// The content type of bytes of an upload.
const BYTES: &str = "application/offset+octet-stream";
/// Larger numbers are no whole numbers for clients in JavaScript.
const MAX_LENGTH: u64 = (1 << 53) - 1;

/// What the headers say.
#[derive(Debug, Default)]
pub(super) struct TusHeaders {
    /// How many bytes there will be.
    pub(super) length: Option<u64>,
    /// Whether that is told later.
    pub(super) is_deferred: bool,
    /// Where the bytes of the body belong.
    pub(super) offset: Option<u64>,
    /// What the client says of the object.
    pub(super) metadata: Option<Metadata>,
    /// Whether the body has bytes of the upload.
    pub(super) has_bytes: bool,
    /// How many bytes the body has, if the client says so.
    pub(super) body_length: Option<u64>,
    /// Whether an object may be replaced.
    pub(super) upsert: bool,
}

impl TusHeaders {
    /// Reads them, as far as the protocol knows them.
    pub(super) fn read(method: &Method, headers: &HeaderMap) -> Result<Self, TusError> {
        let text = |name: &str| behalf_web::header(headers, name);
        let Some(version) = text("tus-resumable")? else {
            return Err(TusError::new(412, "Tus-Resumable Required\n"));
        };
        let mut wrong = Vec::new();
        let mut number = |name: &'static str| -> Result<Option<u64>, TusError> {
            let Some(value) = text(name)? else { return Ok(None) };
            let read = value.parse().ok().filter(|n: &u64| n.to_string() == value && *n <= MAX_LENGTH);
            wrong.extend(read.is_none().then_some(name));
            Ok(read)
        };
        let (offset, length) = (number("upload-offset")?, number("upload-length")?);
        let deferred = text("upload-defer-length")?;
        let sent = text("upload-metadata")?;
        let parsed = sent.and_then(metadata::parse);
        let content_type = text(CONTENT_TYPE.as_str())?;
        let has_bytes = content_type == Some(BYTES);
        let faults = [
            ("tus-resumable", version != "1.0.0"),
            ("upload-defer-length", deferred.is_some_and(|value| value != "1")),
            ("upload-metadata", sent.is_some() && parsed.is_none()),
            // Some clients send a type of their own with requests that have no body.
            ("content-type", *method == Method::PATCH && content_type.is_some() && !has_bytes),
        ];
        wrong.extend(faults.iter().filter(|(_, is_wrong)| *is_wrong).map(|(name, _)| name));
        if !wrong.is_empty() {
            return Err(TusError::new(400, format!("Invalid {}\n", wrong.join(" "))));
        }
        if text("upload-concat")?.is_some() {
            let why = "Concatenation extension is not (yet) supported. Disable parallel uploads in the tus client.\n";
            return Err(TusError::new(501, why));
        }
        Ok(Self {
            length,
            is_deferred: deferred.is_some(),
            offset,
            metadata: parsed,
            has_bytes,
            body_length: text(CONTENT_LENGTH.as_str())?.and_then(|value| value.parse().ok()),
            upsert: text("x-upsert")? == Some("true"),
        })
    }
}
