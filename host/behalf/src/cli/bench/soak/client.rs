//! Requests as an ordinary client sends them: again, to the other host, while a host does not answer or says that it cannot.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use reqwest::multipart::{Form, Part};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use uuid::Uuid;

use super::tally::Tally;
use crate::cli::bench::killed_hosts::Addresses;

/// How long a request is sent again and again: a run goes on elsewhere when the lease of its host ends.
const PATIENCE: Duration = Duration::from_mins(3);
/// How long one answer may take.
const ANSWER: Duration = Duration::from_mins(1);
/// Pauses between retries, from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// A client of one user's, or of the app's back end.
pub(super) struct Client {
    http: reqwest::Client,
    hosts: Addresses,
    /// The host that answers: the other one after a failure.
    preferred: AtomicUsize,
    anon_key: String,
    pub(super) tally: Arc<Tally>,
    /// The number of the user who is told the answers.
    number: u32,
}

/// A request, which can be sent several times.
pub(super) struct Request<'a> {
    operation: &'static str,
    method: Method,
    path: String,
    bearer: &'a str,
    headers: Vec<(&'static str, String)>,
    body: Body,
    /// Statuses that are as good as success.
    accepted: &'static [u16],
}

enum Body {
    None,
    Json(Value),
    Bytes(&'static str, Vec<u8>),
    File(String, Vec<u8>),
}

/// An answer that was expected.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) text: String,
}

/// What the stream of a run told.
#[derive(Default)]
pub(super) struct Streamed {
    pub(super) run: String,
    pub(super) session: String,
    pub(super) content: String,
    last_event: String,
    is_complete: bool,
}

impl Answer {
    pub(super) fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_str(&self.text).with_context(|| format!("no JSON: {}", self.text))
    }

    /// A text of the answer's object.
    pub(super) fn text_of(&self, field: &str) -> anyhow::Result<String> {
        let json = self.json()?;
        Ok(json[field].as_str().with_context(|| format!("no {field}: {}", self.text))?.to_owned())
    }
}

impl<'a> Request<'a> {
    pub(super) fn new(operation: &'static str, method: Method, path: impl Into<String>, bearer: &'a str) -> Self {
        let (path, headers) = (path.into(), Vec::new());
        Self { operation, method, path, bearer, headers, body: Body::None, accepted: &[] }
    }

    pub(super) fn get(operation: &'static str, path: impl Into<String>, bearer: &'a str) -> Self {
        Self::new(operation, Method::GET, path, bearer)
    }

    pub(super) fn post(operation: &'static str, path: impl Into<String>, bearer: &'a str, body: Value) -> Self {
        Self { body: Body::Json(body), ..Self::new(operation, Method::POST, path, bearer) }
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The request is carried out once, however often it is sent.
    pub(super) fn once(self) -> Self {
        self.header("idempotency-key", Uuid::new_v4().to_string())
    }

    pub(super) fn bytes(self, media_type: &'static str, bytes: Vec<u8>) -> Self {
        Self { body: Body::Bytes(media_type, bytes), ..self }
    }

    pub(super) fn file(self, name: String, bytes: Vec<u8>) -> Self {
        Self { body: Body::File(name, bytes), ..self }
    }

    pub(super) fn json(self, body: Value) -> Self {
        Self { body: Body::Json(body), ..self }
    }

    /// What is asked for.
    pub(super) fn what(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    pub(super) fn accepting(self, accepted: &'static [u16]) -> Self {
        Self { accepted, ..self }
    }

    fn is_carried_out_once(&self) -> bool {
        self.headers.iter().any(|(name, _)| *name == "idempotency-key")
    }

    /// Whether another try may have another status.
    fn may_change(&self, status: u16) -> bool {
        // The first request with the same key is still being carried out.
        let is_under_way = status == 409 && self.is_carried_out_once();
        !self.accepted.contains(&status) && (is_under_way || matches!(status, 408 | 429 | 500..=599))
    }
}

impl Client {
    pub(super) fn new(hosts: Addresses, anon_key: &str, tally: &Arc<Tally>, number: u32) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().timeout(ANSWER).build()?;
        let preferred = AtomicUsize::new(usize::try_from(number)? % hosts.len().max(1));
        Ok(Self { http, hosts, preferred, anon_key: anon_key.to_owned(), tally: Arc::clone(tally), number })
    }

    /// The address of the host that answers.
    pub(super) fn address(&self) -> anyhow::Result<SocketAddr> {
        let host = self.hosts.get(self.preferred.load(Ordering::Relaxed) % self.hosts.len().max(1));
        Ok(*host.context("no host")?.borrow())
    }

    /// From now on, the next host.
    pub(super) fn turn(&self) {
        self.preferred.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn anon_key(&self) -> &str {
        &self.anon_key
    }

    fn build(&self, request: &Request<'_>) -> anyhow::Result<RequestBuilder> {
        let url = format!("http://{}{}", self.address()?, request.path);
        let mut built = self.http.request(request.method.clone(), url).header("apikey", &self.anon_key);
        built = built.bearer_auth(request.bearer);
        for (name, value) in &request.headers {
            built = built.header(*name, value);
        }
        Ok(match &request.body {
            Body::None => built,
            Body::Json(body) => built.json(body),
            Body::Bytes(media_type, bytes) => built.header("content-type", *media_type).body(bytes.clone()),
            Body::File(name, bytes) => {
                built.multipart(Form::new().part("file", Part::bytes(bytes.clone()).file_name(name.clone())))
            }
        })
    }

    /// Sends a request until it is answered, and returns the answer if its status is one of success or is accepted.
    pub(super) async fn send(&self, request: Request<'_>) -> anyhow::Result<Answer> {
        let answer = self.ask(&request).await?;
        let is_good = (200..300).contains(&answer.status) || request.accepted.contains(&answer.status);
        ensure!(is_good, "{} {}: {} {}", request.method, request.path, answer.status, answer.text);
        Ok(answer)
    }

    /// The same, whatever the status is.
    pub(super) async fn ask(&self, request: &Request<'_>) -> anyhow::Result<Answer> {
        let mut tries = Tries::begin();
        loop {
            let said = match self.try_once(request).await {
                Ok(answer) if request.may_change(answer.status) => format!("{} {}", answer.status, answer.text),
                Ok(answer) => return Ok(answer),
                Err(error) => format!("{error:#}"),
            };
            self.again(request, &mut tries, &said).await?;
        }
    }

    async fn try_once(&self, request: &Request<'_>) -> anyhow::Result<Answer> {
        let response = self.build(request)?.send().await?;
        let status = response.status().as_u16();
        let text = response.text().await?;
        self.tally.search(request.operation, self.number, text.as_bytes());
        Ok(Answer { status, text })
    }

    /// Waits before the next try, or ends.
    async fn again(&self, request: &Request<'_>, tries: &mut Tries, said: &str) -> anyhow::Result<()> {
        let Some(pause) = tries.pause() else {
            bail!("{} {}: no success within {} seconds: {said}", request.method, request.path, PATIENCE.as_secs());
        };
        self.tally.retry(request.operation);
        self.turn();
        tokio::time::sleep(pause).await;
        Ok(())
    }

    /// Starts a run and reads its stream to the end. Where the stream breaks off, it goes on at the other host after the last event.
    pub(super) async fn stream(&self, request: Request<'_>) -> anyhow::Result<Streamed> {
        let (mut tries, mut streamed) = (Tries::begin(), Streamed::default());
        loop {
            let said = if streamed.run.is_empty() {
                self.follow(&request, &mut streamed).await
            } else {
                let path = format!("/api/agents/runs/{}/events", streamed.run);
                let events = Request::get(request.operation, path, request.bearer);
                let events = events.header("last-event-id", streamed.last_event.clone());
                self.follow(&events, &mut streamed).await
            };
            if streamed.is_complete {
                return Ok(streamed);
            }
            let said = match said {
                Ok(status) if status == 200 || request.may_change(status) => format!("{status}, and it broke off"),
                Ok(status) => bail!("{} {}: {status}", request.method, request.path),
                Err(error) => format!("{error:#}"),
            };
            self.again(&request, &mut tries, &said).await?;
        }
    }

    /// Reads a stream as far as it goes. Returns its status.
    async fn follow(&self, request: &Request<'_>, streamed: &mut Streamed) -> anyhow::Result<u16> {
        let mut response = self.build(request)?.send().await?;
        let (status, mut rest) = (response.status().as_u16(), Vec::new());
        while let Some(piece) = response.chunk().await? {
            rest.extend_from_slice(&piece);
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = rest.drain(..=end).collect();
                self.tally.search(request.operation, self.number, &line);
                streamed.read(&String::from_utf8_lossy(&line));
            }
        }
        Ok(status)
    }
}

impl Streamed {
    /// Takes a line of the stream.
    fn read(&mut self, line: &str) {
        if let Some(id) = line.strip_prefix("id: ") {
            id.trim().clone_into(&mut self.last_event);
        }
        let Some(event) = line.strip_prefix("data: ").and_then(|data| serde_json::from_str::<Value>(data).ok()) else {
            return;
        };
        let text = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
        match event["event"].as_str() {
            Some("start") => (self.run, self.session) = (text("run_id"), text("session_id")),
            Some("complete") => {
                self.content = format!("{} {}", text("status"), text("content"));
                self.is_complete = true;
            }
            _ => {}
        }
    }
}

/// How often and how long something was tried.
struct Tries {
    began: Instant,
    pause: Duration,
}

impl Tries {
    fn begin() -> Self {
        Self { began: Instant::now(), pause: FIRST_PAUSE }
    }

    /// How long to wait before the next try, if there is one.
    fn pause(&mut self) -> Option<Duration> {
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        (self.began.elapsed() < PATIENCE).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_read_up_to_its_last_event() {
        let mut streamed = Streamed::default();
        for line in ["id: 1\n", "data: {\"event\":\"start\",\"run_id\":\"r\",\"session_id\":\"s\"}\n", "\n", "id: 9\n"]
        {
            streamed.read(line);
        }
        assert!(!streamed.is_complete && streamed.run == "r" && streamed.session == "s" && streamed.last_event == "9");
        streamed.read("data: {\"event\":\"complete\",\"status\":\"completed\",\"content\":\"x\"}\n");
        assert!(streamed.is_complete && streamed.content == "completed x");
    }

    #[test]
    fn requests_are_sent_again_where_that_may_help() {
        let request = Request::get("a", "/", "token");
        assert!([408, 429, 500, 502, 503].into_iter().all(|status| request.may_change(status)));
        assert!(![200, 400, 401, 403, 404, 409].into_iter().any(|status| request.may_change(status)));
        let once = Request::get("a", "/", "token").once();
        assert!(once.may_change(409) && !once.accepting(&[409]).may_change(409));
    }
}
