//! Headers that ask for bytes only where they have changed, or where they have not (RFC 9110, section 13). A file of a source never
//! changes, so its hash says all.

use http::HeaderMap;
use http::header::{IF_NONE_MATCH, IF_RANGE, RANGE};

use crate::source::StoredFile;

/// The strong tag of a file, with its quotes.
pub(super) fn tag(file: &StoredFile) -> String {
    match &file.content_hash {
        Some(hash) if hash.bytes().all(|byte| byte.is_ascii_alphanumeric()) => format!("\"{hash}\""),
        // A row that SQL of the app's own wrote: its bytes have an id all the same.
        _ => format!("\"{}\"", file.blob_id.unwrap_or_default().simple()),
    }
}

/// Whether the client has these bytes already.
pub(super) fn has_these(request: &HeaderMap, tag: &str) -> bool {
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").trim_matches('"').to_owned();
    let sent = request.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    sent.flat_map(|value| value.split(',')).any(|sent| sent.trim() == "*" || bare(sent) == bare(tag))
}

/// The header `range`, unless it is for other bytes than these. A date says too little of which bytes are meant.
pub(super) fn range<'a>(request: &'a HeaderMap, tag: &str) -> Option<&'a str> {
    let range = request.get(RANGE)?.to_str().unwrap_or_default();
    let Some(condition) = request.get(IF_RANGE) else { return Some(range) };
    (condition.to_str().unwrap_or_default().trim() == tag).then_some(range)
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};
    use uuid::Uuid;

    use super::*;

    fn request(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_client_that_has_the_bytes_gets_none() {
        for (sent, has) in
            [("\"abc\"", true), ("W/\"abc\"", true), ("\"x\", abc", true), ("*", true), ("\"ab\"", false)]
        {
            assert_eq!(has_these(&request(&[("if-none-match", sent)]), "\"abc\""), has, "{sent}");
        }
        assert!(!has_these(&HeaderMap::new(), "\"abc\""));
    }

    #[test]
    fn a_part_of_other_bytes_is_not_sent() {
        for (sent, counts) in
            [("\"abc\"", true), ("W/\"abc\"", false), ("\"x\"", false), ("Thu, 12 Aug 2021 16:00:00 GMT", false)]
        {
            let request = request(&[("range", "bytes=0-1"), ("if-range", sent)]);
            assert_eq!(range(&request, "\"abc\"").is_some(), counts, "{sent}");
        }
    }

    #[test]
    fn a_tag_cannot_leave_its_header() {
        let file = StoredFile {
            name: String::new(),
            file_type: None,
            content_type: None,
            blob_id: None,
            size: None,
            content_hash: Some("a\"\r\nb".to_owned()),
        };
        assert_eq!(tag(&file), format!("\"{}\"", Uuid::nil().simple()));
    }
}
