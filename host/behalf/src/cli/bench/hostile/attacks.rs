//! What the hostile callers do, again and again, until the measurement ends.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::{Caller, Target};

/// Requests that one hostile caller has open at once.
const AT_ONCE: usize = 16;
/// A hostile client gives up after this long, and its next request takes the place.
const PATIENCE: Duration = Duration::from_secs(30);

/// A kind of attack.
#[derive(Clone, Copy, Debug)]
pub(super) enum Attack {
    /// Statements that Postgres does not interrupt.
    Uninterruptible,
    /// Statements that take as much memory as they get.
    Memory,
    /// Many slow calls at once.
    Slow,
    /// Answers as large as they may be.
    Large,
    /// Requests of strangers: odd methods, made-up tokens and keys, the key set.
    Stranger,
    /// Connections that send half of something, or nothing.
    Half,
    /// Requests that are dropped midway, and bodies that are too large.
    Dropped,
}

/// What the host answered the hostile callers: a count by attack and answer.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts(Arc<Mutex<BTreeMap<String, u64>>>);

impl Counts {
    fn add(&self, attack: Attack, answer: &str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(format!("{attack:?} {answer}")).or_default() += 1;
    }

    pub(super) fn report(&self) -> Value {
        json!(*self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Attack {
    pub(super) const ALL: [Self; 7] =
        [Self::Uninterruptible, Self::Memory, Self::Slow, Self::Large, Self::Stranger, Self::Half, Self::Dropped];

    /// Starts the attack of one caller. It ends when its tasks are aborted.
    pub(super) fn spawn(self, target: &Target, attacker: &Caller, counts: &Counts, tasks: &mut JoinSet<()>) {
        for one in 0..AT_ONCE {
            let (target, attacker, counts) = (target.clone(), attacker.clone(), counts.clone());
            tasks.spawn(async move {
                let http = reqwest::Client::builder().timeout(PATIENCE).build().unwrap_or_default();
                for turn in one.. {
                    let answer = self.once(&http, &target, &attacker, turn).await;
                    counts.add(self, &answer);
                    // A refusal comes at once; without a pause the client, not the host, would take the processors.
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            });
        }
    }

    async fn once(self, http: &reqwest::Client, target: &Target, attacker: &Caller, turn: usize) -> String {
        match self {
            Self::Uninterruptible => query(http, target, attacker, pick(&UNINTERRUPTIBLE, turn)).await,
            Self::Memory => query(http, target, attacker, pick(&MEMORY, turn)).await,
            Self::Slow => query(http, target, attacker, pick(&SLOW, turn)).await,
            Self::Large => query(http, target, attacker, pick(&LARGE, turn)).await,
            Self::Stranger => stranger(http, target, turn).await,
            Self::Half => half(target, turn).await.unwrap_or_else(|error| error.kind().to_string()),
            Self::Dropped => dropped(http, target, attacker, turn).await,
        }
    }
}

const UNINTERRUPTIBLE: [&str; 6] = [
    "select length(translate(repeat('a',100000),repeat('b',100000),''))",
    "select length(btrim(repeat('a',100000),repeat('b',100000)||'a'))",
    "select strpos(repeat('a',1000000),repeat('a',500000)||'b')",
    "select length(replace(repeat('a',10000000),repeat('a',5000)||'b','c'))",
    "select repeat('a',100000) like repeat('%a',2000)||'b'",
    "select repeat('a',50000) ~ '(a|aa)*b\\1'",
];
const MEMORY: [&str; 3] = [
    "select cardinality(array_agg(repeat('x',1000000))) from generate_series(1,1800)",
    "select length(string_agg(repeat('x',1000000),'')) from generate_series(1,900)",
    "select count(*) from (select jsonb_agg(repeat('y',100000)) from generate_series(1,20000) n group by n % 2) x",
];
const SLOW: [&str; 3] = [
    "select count(*) from generate_series(1,2000000000)",
    "select count(*) from items a, items b, items c",
    "select sum(a * b) from generate_series(1,100000) a, generate_series(1,100000) b",
];
const LARGE: [&str; 3] = [
    "select repeat('x',1000000) from generate_series(1,500)",
    "select n, repeat('x',1000) from generate_series(1,500000) n",
    "select to_jsonb(i) from items i, generate_series(1,1000)",
];

fn pick<'a>(statements: &[&'a str], turn: usize) -> &'a str {
    statements.get(turn % statements.len()).copied().unwrap_or_default()
}

async fn query(http: &reqwest::Client, target: &Target, attacker: &Caller, statement: &str) -> String {
    let request = http.post(target.url("/api/tools/database_query/call")).header("apikey", &target.anon_key);
    let body = json!({ "arguments": { "query": statement } });
    status(request.bearer_auth(&attacker.token).json(&body)).await
}

async fn stranger(http: &reqwest::Client, target: &Target, turn: usize) -> String {
    let request = match turn % 4 {
        0 => {
            let method = reqwest::Method::from_bytes(format!("ODD{turn}").as_bytes()).unwrap_or_default();
            http.request(method, target.url("/healthz"))
        }
        1 => http.get(target.url("/api/tools")).bearer_auth(format!("bhd_{turn:043x}")),
        2 => http.get(target.url("/api/tools")).header("apikey", format!("wrong{turn}")),
        _ => http.get(target.url("/.well-known/jwks.json")),
    };
    status(request).await
}

async fn status(request: reqwest::RequestBuilder) -> String {
    match request.send().await {
        Ok(answer) => answer.status().as_u16().to_string(),
        Err(error) if error.is_timeout() => "none in time".to_owned(),
        Err(_) => "connection closed".to_owned(),
    }
}

/// Sends half of a request and waits until the host closes the connection.
async fn half(target: &Target, turn: usize) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(target.address).await?;
    let sent: &[u8] = match turn % 3 {
        0 => b"POST /api/tools/database_query/call HTTP/1.1\r\nHost: localh",
        1 => b"POST /api/tools/database_query/call HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{\"arg",
        _ => b"",
    };
    stream.write_all(sent).await?;
    let mut answer = Vec::new();
    match tokio::time::timeout(Duration::from_mins(3), stream.read_to_end(&mut answer)).await {
        Ok(_) => Ok("closed by the host".to_owned()),
        Err(_) => Ok("open after three minutes".to_owned()),
    }
}

async fn dropped(http: &reqwest::Client, target: &Target, attacker: &Caller, turn: usize) -> String {
    if turn.is_multiple_of(4) {
        let request = http.post(target.url("/api/tools/database_query/call")).header("apikey", &target.anon_key);
        let request = request.header("content-type", "application/json").bearer_auth(&attacker.token);
        // More than a body may have.
        return status(request.body(vec![b' '; 4 << 20])).await;
    }
    let call = query(http, target, attacker, pick(&SLOW, turn));
    match tokio::time::timeout(Duration::from_millis(100), call).await {
        Ok(answer) => answer,
        Err(_) => "dropped".to_owned(),
    }
}
