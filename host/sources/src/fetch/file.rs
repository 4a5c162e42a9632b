//! One document from one server.

use behalf_sandbox::{Outbound, OutboundRequest, OutboundResponse};
use bytes::Bytes;
use futures::stream;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use uuid::Uuid;

use super::address::Address;
use super::error::FetchError;
use crate::file_type::FileType;
use crate::state::Sources;
use crate::upload::{Taken, take};

/// Fetches it, and says what it is.
pub(super) async fn fetch(
    sources: &Sources,
    outbound: &Outbound,
    source: Uuid,
    address: &Address,
) -> Result<(Taken, FileType), FetchError> {
    let request = OutboundRequest {
        method: Method::GET,
        uri: address.uri().map_err(|_| FetchError::Address)?,
        headers: headers(),
        own_headers: HeaderMap::new(),
        body: Bytes::new(),
    };
    let response = outbound.send(request).await?;
    if !response.status.is_success() {
        return Err(FetchError::Status(response.status));
    }
    let file_type = check(&response.headers, &address.name(), sources.options.max_bytes)?;
    let taken = take(sources, source, Box::pin(body(response))).await?;
    if taken.size == 0 {
        return Err(FetchError::Empty);
    }
    Ok((taken, file_type))
}

/// The headers of every request for a document of another server.
pub(super) fn headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("behalf/", env!("CARGO_PKG_VERSION"))));
    headers
}

fn body(
    response: OutboundResponse,
) -> impl futures::Stream<Item = Result<Bytes, behalf_sandbox::OutboundError>> + Send {
    stream::try_unfold(
        response,
        |mut response| async move { Ok(response.chunk().await?.map(|bytes| (bytes, response))) },
    )
}

/// What the headers say of a document with this name.
fn check(headers: &HeaderMap, name: &str, most: u64) -> Result<FileType, FetchError> {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !matches!(text(&CONTENT_ENCODING).trim(), "" | "identity") {
        return Err(FetchError::Encoding);
    }
    if text(&CONTENT_LENGTH).parse::<u64>().is_ok_and(|length| length > most) {
        return Err(FetchError::TooLarge(most));
    }
    file_type(text(&CONTENT_TYPE), name).ok_or(FetchError::Type)
}

/// The kind of a document: what its server says, unless that is as good as nothing; then what its address ends with.
fn file_type(content_type: &str, name: &str) -> Option<FileType> {
    let said = FileType::of_content_type(content_type);
    let is_plain = said.is_some_and(|said| said.content_type() == "text/plain");
    match said {
        Some(said) if !is_plain => Some(said),
        _ => FileType::of_name(name).or(said),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_what_its_server_says_or_its_address() {
        let of = |content_type: &str, name: &str| file_type(content_type, name).map(FileType::extension);
        assert_eq!(of("application/pdf", "x"), Some("pdf"));
        assert_eq!(of("text/html; charset=utf-8", "x.pdf"), Some("html"), "a page that asks to sign in");
        assert_eq!(of("text/plain", "x.md"), Some("md"));
        assert_eq!(of("text/plain", "x"), Some("txt"));
        assert_eq!(of("application/octet-stream", "x.docx"), Some("docx"));
        assert_eq!(of("", "x.docx"), Some("docx"));
        assert_eq!((of("video/mp4", "x"), of("", "x")), (None, None));
    }

    #[test]
    fn what_cannot_fit_is_refused_before_its_bytes_come() {
        let check = |name: HeaderName, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/pdf"));
            headers.insert(name, HeaderValue::from_static(value));
            check(&headers, "x", 10)
        };
        assert!(check(CONTENT_LENGTH, "10").is_ok() && check(CONTENT_ENCODING, "identity").is_ok());
        assert!(matches!(check(CONTENT_LENGTH, "11"), Err(FetchError::TooLarge(10))));
        assert!(matches!(check(CONTENT_ENCODING, "gzip"), Err(FetchError::Encoding)));
    }
}
