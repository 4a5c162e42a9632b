//! Clients: those that send a key and ask until they know, and `OpenAI`'s, which try again twice whatever they sent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use behalf_identity::new_secret;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::super::killed_hosts::Addresses;
use super::marks::{Marks, Told};
use super::stage::Stage;

/// How long a client that has a key asks until it knows.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long it waits before it asks again.
const AGAIN: Duration = Duration::from_millis(300);
/// How often `OpenAI`'s clients try again, their first pause and their longest: the defaults of openai-node 6 and openai-python 2
/// (`max_retries`, `INITIAL_RETRY_DELAY`, `MAX_RETRY_DELAY`).
const RETRIES: u32 = 2;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);
/// What a host says of a call of which nobody knows how it ended.
const NOBODY_KNOWS: &str = "nobody knows";
/// What it says of one whose write is there.
const IS_SAVED: &str = "What it changed is saved";

/// The kinds of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Calls a tool that writes, with an `Idempotency-Key`.
    Direct,
    /// Begins a run with an `Idempotency-Key`, and asks for it until it is over.
    Run,
    /// `OpenAI`'s client as it comes.
    OpenAi,
    /// The same with an `Idempotency-Key`.
    OpenAiWithKey,
}

impl Kind {
    pub(super) const ALL: [Self; 4] = [Self::Direct, Self::Run, Self::OpenAi, Self::OpenAiWithKey];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Run => "run",
            Self::OpenAi => "openai",
            Self::OpenAiWithKey => "openai_with_key",
        }
    }

    /// Whether its operations call the tool's server as well.
    pub(super) fn calls_the_server(self) -> bool {
        self != Self::Direct
    }
}

/// A client, who does one operation after the other.
pub(super) struct Client {
    kind: Kind,
    number: usize,
    http: reqwest::Client,
    addresses: Addresses,
    token: String,
    anon_key: String,
    agent: String,
    marks: Arc<Marks>,
}

/// What came of one request.
enum Sent {
    Answer(StatusCode, Option<bool>, Value),
    /// The connection broke, so nobody here knows what was done.
    Broken,
}

impl Client {
    pub(super) fn new(
        kind: Kind,
        number: usize,
        stage: &Stage,
        agent: &str,
        marks: Arc<Marks>,
    ) -> anyhow::Result<Self> {
        let token = stage.token(u32::try_from(number)?)?;
        let http = reqwest::Client::builder().timeout(PATIENCE).build()?;
        let (addresses, anon_key) = (stage.addresses(), stage.anon_key.clone());
        Ok(Self { kind, number, http, addresses, token, anon_key, agent: agent.to_owned(), marks })
    }

    /// Works until it is told to stop. The last operation is finished.
    pub(super) async fn work(mut self, stop: watch::Receiver<bool>) -> anyhow::Result<()> {
        while !*stop.borrow() {
            let key = format!("{}-{}", self.kind.as_str(), new_secret()?);
            let told = match self.kind {
                Kind::Direct => self.direct(&key).await,
                Kind::Run => self.run(&key).await,
                Kind::OpenAi => self.open_ai(&key, false).await,
                Kind::OpenAiWithKey => self.open_ai(&key, true).await,
            };
            self.marks.add(key, self.kind, told);
        }
        Ok(())
    }

    /// A request to the present host. After a failure the client goes to the other one.
    async fn send(&mut self, path: &str, body: Option<&Value>, key: Option<&str>) -> Sent {
        let address = self.addresses.get(self.number % self.addresses.len()).map(|address| *address.borrow());
        let Some(address) = address else { return Sent::Broken };
        let url = format!("http://{address}{path}");
        let request = match body {
            Some(body) => self.http.post(url).json(body),
            None => self.http.get(url),
        };
        let request = request.header("apikey", &self.anon_key).bearer_auth(&self.token);
        let request = match key {
            Some(key) => request.header("idempotency-key", key),
            None => request,
        };
        let sent = match request.send().await {
            Ok(response) => read(response).await,
            Err(_) => Sent::Broken,
        };
        if !matches!(&sent, Sent::Answer(status, ..) if status.is_success()) {
            self.number += 1;
        }
        sent
    }

    async fn direct(&mut self, key: &str) -> Told {
        let data = json!({ "table": "marks", "operation": "insert", "data": { "key": key } });
        let body = json!({ "arguments": data });
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            match self.send("/api/tools/database_write/call", Some(&body), Some(key)).await {
                Sent::Answer(status, ..) if status.is_success() => return Told::Done,
                Sent::Answer(.., problem) if problem["type"] == "urn:behalf:problem:outcome-unknown" => {
                    return Told::Unknown;
                }
                Sent::Answer(status, ..) if is_final(status) => return Told::Failed,
                _ => tokio::time::sleep(AGAIN).await,
            }
        }
        Told::Unknown
    }

    async fn run(&mut self, key: &str) -> Told {
        let (path, body) = (format!("/api/agents/{}/run", self.agent), json!({ "message": key }));
        let (end, mut run) = (Instant::now() + PATIENCE, None::<String>);
        while Instant::now() < end {
            let sent = match &run {
                None => self.send(&path, Some(&body), Some(key)).await,
                Some(run) => {
                    let path = format!("/api/agents/runs/{run}");
                    self.send(&path, None, None).await
                }
            };
            if let Sent::Answer(status, _, answer) = sent {
                if let Some(id) = answer["run_id"].as_str() {
                    run = Some(id.to_owned());
                }
                match answer["status"].as_str() {
                    Some("completed") => return told(answer["content"].as_str().unwrap_or_default()),
                    Some("failed" | "cancelled") => return Told::Failed,
                    _ if run.is_none() && is_final(status) => return Told::Failed,
                    _ => {}
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
        Told::Unknown
    }

    /// As `OpenAI`'s clients send a request: tried again twice where the answer is 408, 409, 429 or 500 and more, or where there is none,
    /// unless `x-should-retry` says something else.
    async fn open_ai(&mut self, key: &str, with_key: bool) -> Told {
        let body = json!({ "model": self.agent, "messages": [{ "role": "user", "content": key }] });
        let mut pause = FIRST_PAUSE;
        let mut last = Told::Unknown;
        for attempt in 0..=RETRIES {
            let again = match self.send("/v1/chat/completions", Some(&body), with_key.then_some(key)).await {
                Sent::Answer(status, _, answer) if status.is_success() => {
                    return told(answer["choices"][0]["message"]["content"].as_str().unwrap_or_default());
                }
                Sent::Answer(status, should, _) => {
                    last = if is_final(status) { Told::Failed } else { Told::Unknown };
                    should.unwrap_or_else(|| matches!(status.as_u16(), 408 | 409 | 429 | 500..))
                }
                Sent::Broken => {
                    last = Told::Unknown;
                    true
                }
            };
            if !again {
                break;
            }
            if attempt < RETRIES {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
        last
    }
}

async fn read(response: Response) -> Sent {
    let (status, headers) = (response.status(), response.headers().clone());
    let should = headers.get("x-should-retry").and_then(|value| value.to_str().ok()?.parse().ok());
    match response.text().await {
        Ok(text) => Sent::Answer(status, should, serde_json::from_str(&text).unwrap_or_default()),
        Err(_) => Sent::Broken,
    }
}

/// Whether the same request would be answered in the same way.
fn is_final(status: StatusCode) -> bool {
    status.is_client_error() && !matches!(status.as_u16(), 408 | 409 | 429)
}

/// What the agent told of its two tools: a list of what they said.
fn told(content: &str) -> Told {
    let said: Vec<String> = serde_json::from_str(content).unwrap_or_default();
    let [written, called] = said.as_slice() else { return Told::Unknown };
    if written.contains(NOBODY_KNOWS) {
        return Told::Unknown;
    }
    let is_result =
        |text: &String| serde_json::from_str::<Value>(text).is_ok_and(|value| value.is_object() || value.is_number());
    if !is_result(written) && !written.contains(IS_SAVED) {
        return Told::Failed;
    }
    if called.contains("marked") { Told::Done } else { Told::DoneButUnknown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_tools_said_is_told_apart() {
        let said = |written: &str, called: &str| told(&json!([written, called]).to_string());
        let (row, marked) = (r#"{"rows_affected": 1}"#, r#"{"marked": "a"}"#);
        assert_eq!(said(row, marked), Told::Done);
        assert_eq!(said("… What it changed is saved; only its answer was lost …", marked), Told::Done);
        assert_eq!(said(row, "… and nobody knows whether it took effect …"), Told::DoneButUnknown);
        assert_eq!(said("… nobody knows whether it took effect …", marked), Told::Unknown);
        assert_eq!(said("the database cannot be reached right now", marked), Told::Failed);
        assert_eq!(told("something else"), Told::Unknown);
    }

    #[test]
    fn only_what_would_be_answered_alike_is_final() {
        assert!(is_final(StatusCode::UNPROCESSABLE_ENTITY));
        for status in [408_u16, 409, 429, 500, 503] {
            assert!(StatusCode::from_u16(status).is_ok_and(|status| !is_final(status)), "{status}");
        }
    }
}
