//! A request, put together.

use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use serde::Serialize;

use super::{Error, Response, Sent};

/// A request that is put together and then [sent](Self::send).
#[derive(Clone, Debug)]
#[must_use = "a request is sent with `send()`"]
pub struct Request {
    method: String,
    url: String,
    query: Vec<String>,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
    timeout: Option<Duration>,
    failure: Option<Error>,
}

impl Request {
    pub(super) fn new(method: &str, url: &str) -> Self {
        Self {
            method: method.to_uppercase(),
            url: url.to_owned(),
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
            timeout: None,
            failure: None,
        }
    }

    /// Adds a name and a value to the query of the address.
    pub fn query(mut self, name: &str, value: impl ToString) -> Self {
        self.query.push(format!("{}={}", encoded(name), encoded(&value.to_string())));
        self
    }

    /// Adds a header. One that is there already is replaced.
    pub fn header(mut self, name: &str, value: impl ToString) -> Self {
        let name = name.to_lowercase();
        self.headers.retain(|(other, _)| *other != name);
        self.headers.push((name, value.to_string()));
        self
    }

    /// `Authorization: Bearer …`
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// The body, as JSON.
    pub fn json(mut self, value: &impl Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => self.body(body, "application/json"),
            Err(error) => {
                self.failure = Some(Error::new("invalid", format!("The body of a request cannot be JSON: {error}.")));
                self
            }
        }
    }

    /// The body, as a form has it.
    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let pairs: Vec<_> =
            fields.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        self.body(pairs.join("&"), "application/x-www-form-urlencoded")
    }

    /// The body, of this media type.
    pub fn body(mut self, body: impl Into<Vec<u8>>, content_type: &str) -> Self {
        self.body = Some(body.into());
        self.header("content-type", content_type)
    }

    /// How long to wait for the connection, and again for the beginning of the answer. The host's own bounds hold as well.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sends the request and reads the whole answer. A status of 400 or more is an answer too: see
    /// [`Response::error_for_status`].
    pub fn send(self) -> Result<Response, Error> {
        let sent = self.into_sent()?;
        let answer = crate::door::http::send(&sent)?;
        Ok(Response { host: sent.authority, ..answer })
    }

    fn into_sent(self) -> Result<Sent, Error> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        let (scheme, authority, mut path) = split(&self.url).ok_or_else(|| {
            let shown: String = self.url.chars().take(200).collect();
            Error::new(
                "invalid",
                format!("An address begins with https:// and a host, and has no user; this one does not: {shown}"),
            )
        })?;
        for pair in &self.query {
            path.push(if path.contains('?') { '&' } else { '?' });
            path.push_str(pair);
        }
        let mut headers = self.headers;
        if !headers.iter().any(|(name, _)| name == "accept") {
            headers.push(("accept".to_owned(), "*/*".to_owned()));
        }
        if let Some(body) = &self.body {
            // Without it, the body would be sent in chunks, which not every server takes.
            headers.push(("content-length".to_owned(), body.len().to_string()));
        }
        Ok(Sent { method: self.method, scheme, authority, path, headers, body: self.body, timeout: self.timeout })
    }
}

/// Scheme, authority, and path with query.
fn split(url: &str) -> Option<(String, String, String)> {
    let url = url.split('#').next().unwrap_or_default();
    let (scheme, rest) = url.split_once("://")?;
    let scheme = scheme.to_lowercase();
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let sound = matches!(scheme.as_str(), "http" | "https")
        && !authority.is_empty()
        && !authority.contains(|c: char| c == '@' || c.is_whitespace());
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    sound.then(|| (scheme, authority.to_owned(), path))
}

/// `text` for a query or a form.
fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' => encoded.push(char::from(byte)),
            b' ' => encoded.push('+'),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_split_and_its_query_is_encoded() {
        let sent = Request::new("get", "https://a.test:8443?a=1#top").query("b c", "é&").query("n", 2);
        let sent = sent.header("X-A", 1).header("x-a", 2).into_sent().expect("a request");
        assert_eq!((sent.method.as_str(), sent.url().as_str()), ("GET", "https://a.test:8443/?a=1&b+c=%C3%A9%26&n=2"));
        assert_eq!(sent.headers, [("x-a".to_owned(), "2".to_owned()), ("accept".to_owned(), "*/*".to_owned())]);
        assert_eq!(sent.body, None);
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for url in ["a.test", "ftp://a.test", "https://", "https://u:p@a.test/", "https://a b/", "/x"] {
            let error = Request::new("GET", url).into_sent().expect_err(url);
            assert_eq!(error.code, "invalid", "{url}");
            assert!(error.message.ends_with(url), "{error}");
        }
    }

    #[test]
    fn a_body_has_a_type_and_a_length() {
        let sent =
            Request::new("POST", "http://a.test/").form(&[("a", "1 2"), ("b", "ä")]).into_sent().expect("a request");
        assert_eq!(sent.body.as_deref(), Some("a=1+2&b=%C3%A4".as_bytes()));
        let has = |name: &str, value: &str| sent.headers.contains(&(name.to_owned(), value.to_owned()));
        assert!(has("content-type", "application/x-www-form-urlencoded") && has("content-length", "14"), "{sent:?}");
    }
}
