//! Headers that ask for bytes only where they have changed (RFC 9110, section 13).

use chrono::{DateTime, Utc};
use http::header::{IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, RANGE};
use http::{HeaderMap, HeaderName};

use crate::object::Object;

/// Whether the client has these bytes already.
pub(super) fn not_modified(request: &HeaderMap, object: &Object) -> bool {
    if let Some(has_these) = has_these(request, object) {
        return has_these;
    }
    match (moment(request, &IF_MODIFIED_SINCE), modified(object)) {
        (Some(since), Some(modified)) => modified <= since,
        _ => false,
    }
}

/// Whether the client names the tag of these bytes; none where it names no tag.
pub(super) fn has_these(request: &HeaderMap, object: &Object) -> Option<bool> {
    if !request.contains_key(IF_NONE_MATCH) {
        return None;
    }
    let known = object.text("eTag").unwrap_or_default();
    let sent = request.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    Some(sent.flat_map(|value| value.split(',')).any(|tag| is_same(tag, known)))
}

/// The header `range`, unless it is for other bytes than these.
pub(super) fn range<'a>(request: &'a HeaderMap, object: &Object) -> Option<&'a str> {
    let range = request.get(RANGE)?.to_str().unwrap_or_default();
    let Some(condition) = request.get(IF_RANGE) else { return Some(range) };
    let condition = condition.to_str().unwrap_or_default();
    let is_for_these = if condition.contains('"') {
        Some(condition.trim()) == object.text("eTag")
    } else {
        moment(request, &IF_RANGE).is_some_and(|since| modified(object) == Some(since))
    };
    is_for_these.then_some(range)
}

/// When the bytes were stored, in whole seconds as headers have them.
pub(super) fn modified(object: &Object) -> Option<DateTime<Utc>> {
    let text = object.text("lastModified").or(object.updated_at.as_deref())?;
    let exact = DateTime::parse_from_rfc3339(text).ok()?;
    DateTime::from_timestamp(exact.timestamp(), 0)
}

/// Whether a tag of a list names these bytes. A weak tag does as well.
fn is_same(tag: &str, known: &str) -> bool {
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").trim_matches('"').to_owned();
    tag.trim() == "*" || (!known.is_empty() && bare(tag) == bare(known))
}

fn moment(request: &HeaderMap, name: &HeaderName) -> Option<DateTime<Utc>> {
    let text = request.get(name)?.to_str().ok()?;
    DateTime::parse_from_rfc2822(text).ok().map(|moment| moment.to_utc())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use serde_json::json;

    use super::*;

    fn object() -> Object {
        Object {
            id: String::new(),
            bucket: String::new(),
            name: String::new(),
            version: None,
            owner: None,
            metadata: Some(json!({"eTag": "\"abc\"", "lastModified": "2021-08-12T16:00:00.123Z"})),
            user_metadata: None,
            created_at: None,
            updated_at: None,
        }
    }

    fn request(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_tag_counts_before_a_date() {
        for (headers, is_known) in [
            (vec![("if-none-match", "\"abc\"")], true),
            (vec![("if-none-match", "abc")], true),
            (vec![("if-none-match", "W/\"abc\"")], true),
            (vec![("if-none-match", "\"x\", \"abc\"")], true),
            (vec![("if-none-match", "*")], true),
            (vec![("if-none-match", "\"ab\"")], false),
            (vec![("if-none-match", "\"x\""), ("if-modified-since", "Thu, 12 Aug 2031 16:00:00 GMT")], false),
            (vec![("if-modified-since", "Thu, 12 Aug 2021 16:00:00 GMT")], true),
            (vec![("if-modified-since", "Thu, 12 Aug 2021 15:59:59 GMT")], false),
            (vec![("if-modified-since", "yesterday")], false),
            (vec![], false),
        ] {
            assert_eq!(not_modified(&request(&headers), &object()), is_known, "{headers:?}");
        }
    }

    #[test]
    fn a_part_of_other_bytes_is_not_sent() {
        for (condition, counts) in [
            ("\"abc\"", true),
            ("\"x\"", false),
            ("W/\"abc\"", false),
            ("Thu, 12 Aug 2021 16:00:00 GMT", true),
            ("Thu, 12 Aug 2021 16:00:01 GMT", false),
        ] {
            let headers = request(&[("range", "bytes=0-1"), ("if-range", condition)]);
            assert_eq!(range(&headers, &object()).is_some(), counts, "{condition}");
        }
    }
}
