//! What is read of an HTTP request: for the planner, and for the app's functions.

use behalf_rest_plan::{Headers, Method};
use http::request::Parts;
use http::{HeaderMap, HeaderName};
use serde_json::{Map, Value};

/// Where the routes begin. The app's functions see the path behind it, as behind PostgREST.
pub(crate) const PREFIX: &str = "/rest/v1";

/// Headers that no function of the app sees: they are credentials, and any function could keep them. Cookies are bound by
/// themselves.
const HIDDEN: [&str; 5] = ["authorization", "proxy-authorization", "apikey", "cookie", "x-behalf-act-as-claims"];

/// The method as the planner and the server's sessions know it.
pub(crate) fn method(method: &http::Method) -> Option<(Method, &'static str)> {
    Some(match *method {
        http::Method::GET => (Method::Get, "GET"),
        http::Method::HEAD => (Method::Head, "HEAD"),
        http::Method::POST => (Method::Post, "POST"),
        http::Method::PATCH => (Method::Patch, "PATCH"),
        http::Method::PUT => (Method::Put, "PUT"),
        http::Method::DELETE => (Method::Delete, "DELETE"),
        _ => return None,
    })
}

/// The headers that the planner reads.
pub(crate) fn headers(map: &HeaderMap) -> Headers<'_> {
    let one = |name: &str| map.get(name).and_then(|value| value.to_str().ok());
    Headers {
        accept: one("accept"),
        content_type: one("content-type"),
        prefer: map.get_all("prefer").iter().filter_map(|value| value.to_str().ok()).collect(),
        range: one("range"),
        accept_profile: one("accept-profile"),
        content_profile: one("content-profile"),
    }
}

/// What `current_setting('request.…')` shows of a request.
#[derive(Debug)]
pub(crate) struct ShownRequest {
    pub(crate) headers: String,
    pub(crate) cookies: String,
}

impl ShownRequest {
    pub(crate) fn of(parts: &Parts) -> Self {
        Self { headers: shown_headers(&parts.headers), cookies: shown_cookies(&parts.headers) }
    }
}

/// The path behind the prefix.
pub(crate) fn shown_path(parts: &Parts) -> &str {
    let path = parts.uri.path();
    path.strip_prefix(PREFIX).unwrap_or(path)
}

/// Of a header that was sent twice, the last one is shown.
fn shown_headers(map: &HeaderMap) -> String {
    let is_shown = |name: &HeaderName| !HIDDEN.contains(&name.as_str());
    let shown = map.iter().filter(|(name, _)| is_shown(name));
    let texts = shown.map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes())));
    Value::Object(texts.collect::<Map<_, _>>()).to_string()
}

fn shown_cookies(map: &HeaderMap) -> String {
    if !map.contains_key("cookie") {
        return "{}".to_owned();
    }
    let lines = map.get_all("cookie").iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let texts = pairs.map(|(name, value)| (name.to_owned(), Value::from(value.trim_matches('"'))));
    Value::Object(texts.collect::<Map<_, _>>()).to_string()
}

/// A value as Postgres can hold it.
fn text(bytes: &[u8]) -> Value {
    String::from_utf8_lossy(bytes).replace('\0', "").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_not_shown() {
        let mut map = HeaderMap::new();
        for name in HIDDEN.iter().chain(&["x-tenant"]) {
            map.insert(*name, http::HeaderValue::from_static("a=1; b=\"2\""));
        }
        assert_eq!(shown_headers(&map), r#"{"x-tenant":"a=1; b=\"2\""}"#);
        assert_eq!(shown_cookies(&map), r#"{"a":"1","b":"2"}"#);
        assert_eq!(shown_cookies(&HeaderMap::new()), "{}");
    }
}
