//! HTTP for a component that is checked: requests get recorded answers, and none is sent unless somebody asked for it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use behalf_sandbox::{HttpTrial, TrialAnswer, TrialRequest, TrialResponse};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Headers of an answer that are recorded. Others are of this one answer, or could be secrets, such as cookies.
const RECORDED_HEADERS: [&str; 6] = ["content-type", "etag", "last-modified", "link", "location", "retry-after"];

/// One request and its answer, as a file of recorded answers holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exchange {
    /// The method.
    #[serde(default = "get")]
    method: String,
    /// The whole address; `*` stands for any text.
    url: String,
    /// The body of the request; where absent, every body fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request_body: Option<String>,
    /// The status of the answer.
    #[serde(default = "ok")]
    status: u16,
    /// Its headers.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Its body, if that is text.
    #[serde(default)]
    body: String,
    /// Its body in hexadecimal, if that is no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body_hex: Option<String>,
}

fn get() -> String {
    "GET".to_owned()
}

fn ok() -> u16 {
    200
}

/// Recorded answers, and whether requests are sent to record more.
#[derive(Debug, Default)]
pub(crate) struct TrialHttp(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    exchanges: Vec<Exchange>,
    records: bool,
}

impl TrialHttp {
    /// Requests get the answers of this file; without one they get none.
    pub(crate) fn recorded(file: Option<&Path>) -> anyhow::Result<Self> {
        let Some(file) = file else { return Ok(Self::default()) };
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("cannot read {}; `behalf tool check --record-http` makes it", file.display()))?;
        let exchanges: Vec<Exchange> = serde_json::from_str(&text)
            .with_context(|| format!("{} is no list of requests and answers", file.display()))?;
        for exchange in exchanges.iter().filter_map(|exchange| exchange.body_hex.as_ref()) {
            hex::decode(exchange).with_context(|| format!("a body_hex of {} is not hexadecimal", file.display()))?;
        }
        Ok(Self(Mutex::new(State { exchanges, records: false })))
    }

    /// Sends requests and records their answers, or no longer.
    pub(crate) fn record(&self, records: bool) {
        self.state().records = records;
    }

    /// Writes all answers into a file, and returns how many there are.
    pub(crate) fn write(&self, file: &Path) -> anyhow::Result<usize> {
        let state = self.state();
        let text = serde_json::to_string_pretty(&state.exchanges)? + "\n";
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
        Ok(state.exchanges.len())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HttpTrial for TrialHttp {
    fn answer(&self, request: &TrialRequest) -> TrialAnswer {
        let state = self.state();
        if state.records {
            return TrialAnswer::Send;
        }
        let found = state.exchanges.iter().find(|exchange| exchange.fits(request));
        found.map_or(TrialAnswer::Unreachable, |exchange| TrialAnswer::Respond(exchange.response()))
    }

    fn answered(&self, request: &TrialRequest, response: &TrialResponse) {
        let mut state = self.state();
        if !state.records {
            return;
        }
        let new = Exchange::of(request, response);
        let is_same =
            |old: &Exchange| (&old.method, &old.url, &old.request_body) == (&new.method, &new.url, &new.request_body);
        match state.exchanges.iter_mut().find(|old| is_same(old)) {
            Some(old) => *old = new,
            // Before the patterns: the first that fits is the answer.
            None => state.exchanges.insert(0, new),
        }
    }
}

impl Exchange {
    fn of(request: &TrialRequest, response: &TrialResponse) -> Self {
        let body = std::str::from_utf8(&response.body).map(str::to_owned);
        let kept = response.headers.iter().filter(|(name, _)| RECORDED_HEADERS.contains(&name.as_str()));
        let sent = String::from_utf8(request.body.to_vec()).ok();
        Self {
            method: request.method.clone(),
            url: request.url.clone(),
            request_body: sent.filter(|body| !body.is_empty()),
            status: response.status,
            headers: kept.cloned().collect(),
            body_hex: body.is_err().then(|| hex::encode(&response.body)),
            body: body.unwrap_or_default(),
        }
    }

    fn fits(&self, request: &TrialRequest) -> bool {
        let body = |wanted: &String| request.body == wanted.as_bytes();
        self.method.eq_ignore_ascii_case(&request.method)
            && fits(&self.url, &request.url)
            && self.request_body.as_ref().is_none_or(body)
    }

    fn response(&self) -> TrialResponse {
        let binary = self.body_hex.as_ref().and_then(|text| hex::decode(text).ok());
        TrialResponse {
            status: self.status,
            headers: self.headers.clone().into_iter().collect(),
            body: binary.map_or_else(|| Bytes::from(self.body.clone()), Bytes::from),
        }
    }
}

/// Whether a text is this pattern, in which `*` stands for any text.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some((_, after)) = text.split_once(part) else { return false };
        text = after;
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(url: &str, body: &'static str) -> TrialRequest {
        TrialRequest { method: "GET".to_owned(), url: url.to_owned(), body: Bytes::from_static(body.as_bytes()) }
    }

    fn response(body: &'static [u8]) -> TrialResponse {
        let header = |name: &str| (name.to_owned(), "text/plain".to_owned());
        TrialResponse {
            status: 200,
            headers: vec![header("content-type"), header("set-cookie")],
            body: Bytes::from_static(body),
        }
    }

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text) in [
            ("https://a.test/", "https://a.test/"),
            ("https://a.test/*", "https://a.test/"),
            ("https://a.test/*/b?c=*", "https://a.test/x/y/b?c="),
            ("*b", "ab"),
        ] {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("https://a.test/", "https://a.test/b"),
            ("https://a.test/*", "https://b.test/"),
            ("a*b", "ac"),
            ("a*a", "a"),
        ] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn without_a_record_nothing_is_sent() {
        let http = TrialHttp::recorded(None).expect("no file");
        assert_eq!(http.answer(&request("https://a.test/", "")), TrialAnswer::Unreachable);
    }

    #[test]
    fn what_was_recorded_is_written_and_answers_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("http.json");
        std::fs::write(&file, r#"[{"url": "https://a.test/*", "body": "any"}]"#).expect("a file");
        let http = TrialHttp::recorded(Some(&file)).expect("answers");
        http.record(true);
        assert_eq!(http.answer(&request("https://a.test/one", "")), TrialAnswer::Send);
        http.answered(&request("https://a.test/one", ""), &response(b"1"));
        http.answered(&request("https://a.test/one", ""), &response(b"one"));
        http.answered(&request("https://a.test/two", "q"), &response(&[0xff]));
        http.record(false);
        assert_eq!(http.write(&file).expect("written"), 3);
        let http = TrialHttp::recorded(Some(&file)).expect("answers");
        let body = |url: &str, body: &'static str| match http.answer(&request(url, body)) {
            TrialAnswer::Respond(answer) => answer.body.to_vec(),
            other => panic!("{other:?}"),
        };
        assert_eq!(body("https://a.test/one", ""), b"one");
        assert_eq!(body("https://a.test/two", "q"), [0xff]);
        assert_eq!(body("https://a.test/two", "other"), b"any");
        assert_eq!(http.answer(&request("https://b.test/", "")), TrialAnswer::Unreachable);
        let text = std::fs::read_to_string(&file).expect("a file");
        assert!(text.contains("text/plain") && !text.contains("set-cookie"), "{text}");
    }

    #[test]
    fn a_file_that_is_no_record_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("http.json");
        for text in ["{}", r#"[{"uri": "https://a.test/"}]"#, r#"[{"url": "https://a.test/", "body_hex": "x"}]"#] {
            std::fs::write(&file, text).expect("a file");
            assert!(TrialHttp::recorded(Some(&file)).is_err(), "{text}");
        }
        assert!(TrialHttp::recorded(Some(&folder.path().join("gone.json"))).is_err());
    }
}
