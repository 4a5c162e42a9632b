//! The servers of a mocked host: what a test told that they answer.

use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::state::fail;
use crate::http::{Error, Response, Sent};

#[derive(Debug, Default)]
pub(super) struct Servers {
    expected: Vec<(String, Result<Response, Error>)>,
    pub(super) requests: Vec<Sent>,
}

impl Servers {
    pub(super) fn expect(&mut self, part: &str, answer: Result<Response, Error>) {
        self.expected.push((part.to_owned(), answer));
    }

    pub(super) fn send(&mut self, sent: &Sent) -> Result<Response, Error> {
        self.requests.push(sent.clone());
        let line = format!("{} {}", sent.method, sent.url());
        let found = self.expected.iter().rev().find(|(part, _)| line.contains(part));
        let Some((_, answer)) = found else {
            fail(&format!(
                "The tool sent a request that this test has no answer for:\n\n{line}\n\nTell one with `host.respond(\"part of it\", &json!({{…}}))`."
            ))
        };
        answer.clone()
    }
}

/// An answer of this media type.
pub(super) fn answer(status: u16, content_type: &str, body: &[u8]) -> Response {
    let headers = vec![("content-type".to_owned(), content_type.to_owned())];
    Response { status, headers, body: body.to_vec(), host: String::new() }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;
    use core::time::Duration;

    use serde_json::{Value, json};

    use crate::mock::Host;
    use crate::{Context as _, http};

    #[test]
    fn a_request_is_answered_and_kept() {
        let host = Host::new();
        host.respond("https://a.test", &json!({"n": 1}));
        host.respond_with("POST https://a.test/x", 503, "text/plain", "busy");
        let answer: Value =
            http::get("https://a.test/n").query("q", "a b").send().expect("an answer").json().expect("JSON");
        assert_eq!(answer, json!({"n": 1}));
        let sent = http::post("https://a.test/x").json(&json!({"a": "é"})).bearer("t").timeout(Duration::from_secs(1));
        let answer = sent.send().expect("an answer");
        assert_eq!((answer.status, answer.text().as_str(), answer.is_success()), (503, "busy", false));
        assert_eq!(answer.header("Content-Type"), Some("text/plain"));
        let error = answer.json::<Value>().expect_err("no JSON");
        assert_eq!(error.to_string(), "a.test answered with status 503 and no JSON.");
        let error = answer.error_for_status().expect_err("an error");
        assert_eq!((error.code.as_str(), error.retryable), ("status", true));
        let requests = host.requests();
        assert_eq!(requests[0].url(), "https://a.test/n?q=a+b");
        assert_eq!(requests[1].body.as_deref(), Some(r#"{"a":"é"}"#.as_bytes()));
    }

    #[test]
    fn a_failure_is_the_tools_unless_it_is_caught() {
        let host = Host::new();
        host.fail_http("a.test", "denied", "Not granted.");
        let error = http::get("https://a.test").send().expect_err("an error");
        assert_eq!(crate::Error::from(error.clone()), crate::Error::denied("Not granted."));
        let told: Result<(), _> = Err(error).context("Asking for the rate");
        assert_eq!(told.expect_err("an error"), crate::Error::denied("Asking for the rate: Not granted."));
        host.fail_http("a.test", "timeout", "Too slow.");
        let error = http::get("https://a.test").send().expect_err("an error");
        assert_eq!(crate::Error::from(error), crate::Error::failed("Too slow.").retry_later());
    }

    #[test]
    #[should_panic(expected = "GET https://a.test/x")]
    fn an_unforeseen_request_ends_the_test() {
        let _host = Host::new();
        drop(http::get("https://a.test/x").send());
    }
}
