//! Many clients that wait for events of runs which say nothing: what they hold, what they cost while nothing happens, and
//! how soon one more of them sees its first event.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Args;
use indicatif::ProgressBar;
use serde_json::{Value, json};
use sqlx::{ConnectOptions, Connection, PgConnection, Row};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use uuid::Uuid;

use super::host::HostProcess;
use super::summary::Summary;
use super::test_bed::Database;
use behalf_identity::{TokenRequest, mint_key, mint_token, new_secret};
use behalf_local_postgres::LocalPostgres;
use behalf_toolchain::demo;

/// Users whose runs they are.
const USERS: u16 = 10;
/// Streams that are opened at once; more would measure the queue of connections.
const AT_ONCE: usize = 8;
/// Until hosts have looked once after what is new, and Postgres has counted what was asked so far: a server process that
/// has nothing to do tells its numbers after ten seconds.
const SETTLE: Duration = Duration::from_secs(12);

/// `behalf bench streams`
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct StreamsArgs {
    /// Streams to hold open.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u16).range(1..=20_000))]
    streams: u16,
    /// Runs that they follow.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=900))]
    runs: u16,
    /// Streams to open and close again while the others wait.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..=5_000))]
    new: u16,
    /// Seconds to watch while nothing happens.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=600))]
    seconds: u16,
    /// Work on the runs on another host than the one that shows them.
    #[arg(long)]
    remote_host: bool,
}

/// A database, a model without a word to say, and what both hosts are told.
struct TestBed {
    postgres: LocalPostgres,
    dir: TempDir,
    settings: Vec<(&'static str, String)>,
    anon_key: String,
    service_key: String,
    tokens: Vec<String>,
}

pub(super) async fn measure(args: &StreamsArgs, bar: &ProgressBar) -> anyhow::Result<Value> {
    bar.set_length(6);
    bar.set_message("preparing a database");
    let bed = TestBed::prepare().await?;
    let report = on(&bed, args, bar).await;
    bed.postgres.discard().await?;
    bed.dir.close()?;
    report
}

async fn on(bed: &TestBed, args: &StreamsArgs, bar: &ProgressBar) -> anyhow::Result<Value> {
    bar.inc(1);
    bar.set_message("starting the host");
    let shows = bed.host("shows").await?;
    let works = if args.remote_host { Some(bed.host("works").await?) } else { None };
    bar.inc(1);
    bar.set_message("beginning runs");
    let runs = bed.begin(works.as_ref().map_or(shows.address, |host| host.address), args.runs).await?;
    let before = shows.resident_kib()?;
    bar.inc(1);
    bar.set_message("opening streams");
    let requests: Vec<_> = runs.iter().map(|(run, token)| bed.follow(run, token)).collect();
    let (held, opening) = open(shows.address, &requests, usize::from(args.streams)).await?;
    tokio::time::sleep(SETTLE).await;
    let after = shows.resident_kib()?;
    bar.inc(1);
    bar.set_message("watching while nothing happens");
    let idle = bed.watch(&shows, args.seconds).await?;
    bar.inc(1);
    bar.set_message("opening more");
    let (more, first_event) = open(shows.address, &requests, usize::from(args.new)).await?;
    drop(more);
    bar.inc(1);
    for stream in &held {
        ensure!(!is_closed(stream), "a stream was closed while it waited");
    }
    let per_stream = (f64::from(u32::try_from(after)?) - f64::from(u32::try_from(before)?)) / f64::from(args.streams);
    let (cpu, transactions) = idle;
    shows.stop().await?;
    if let Some(works) = works {
        works.stop().await?;
    }
    Ok(json!({
        "streams": args.streams, "runs": args.runs, "remote_host": args.remote_host, "postgres": bed.postgres.version(),
        "resident_kib_before": before, "resident_kib_after": after, "kib_per_stream": per_stream,
        "idle_seconds": args.seconds, "idle_processor_percent": cpu, "idle_transactions_per_second": transactions,
        "opening": opening, "first_event_while_open": first_event,
    }))
}

impl TestBed {
    async fn prepare() -> anyhow::Result<Self> {
        let Database { dir, local: postgres, host, tool, .. } = Database::prepare(demo::SEED).await?;
        let secret = new_secret()?;
        let (anon_key, service_key) = (mint_key(&secret, "anon")?, mint_key(&secret, "service_role")?);
        let tokens = (0..USERS)
            .map(|user| {
                mint_token(&secret, &TokenRequest::for_user(&Uuid::from_u128(u128::from(user) + 1).to_string()))
            })
            .collect::<Result<_, _>>()?;
        let mut settings = vec![
            ("HOST_DATABASE_URL", host),
            ("TOOL_DATABASE_URL", tool),
            ("JWT_SECRET", secret),
            ("ANON_KEY", anon_key.clone()),
            ("SERVICE_ROLE_KEY", service_key.clone()),
            ("MODEL_BASE_URL", silent_model().await?),
            ("MODEL_API_KEY", "none".to_owned()),
            ("MODEL_DEFAULT", "openai/silent".to_owned()),
            ("LOG", "warn".to_owned()),
        ];
        // What one user may open is another matter than what a host can hold.
        let unbounded = ["RATE_LIMIT_USER", "RATE_LIMIT_RUNS", "CONCURRENT_RUNS_USER", "CONCURRENT_STREAMS_USER"];
        settings.extend(unbounded.map(|name| (name, "0".to_owned())));
        Ok(Self { postgres, dir, settings, anon_key, service_key, tokens })
    }

    async fn host(&self, name: &str) -> anyhow::Result<HostProcess> {
        let state = self.dir.path().join(name);
        std::fs::create_dir(&state)?;
        HostProcess::start(&self.settings, &state).await
    }

    /// Begins runs that wait for their model: each one's id and its user's token.
    async fn begin(&self, address: SocketAddr, runs: u16) -> anyhow::Result<Vec<(String, String)>> {
        let http = reqwest::Client::new();
        let url = format!("http://{address}/api/agents");
        let body = json!({ "name": "silent", "settings": { "timeout_seconds": 3600 } });
        let made = http.post(&url).bearer_auth(&self.service_key).header("apikey", &self.anon_key).json(&body);
        let made: Value = made.send().await?.error_for_status()?.json().await?;
        let agent = made.get("id").and_then(Value::as_str).context("no agent")?;
        let mut begun = Vec::new();
        for token in self.tokens.iter().cycle().take(usize::from(runs)) {
            let run =
                http.post(format!("{url}/{agent}/run/stream")).bearer_auth(token).header("apikey", &self.anon_key);
            let mut answer = run.json(&json!({ "message": "Hello" })).send().await?.error_for_status()?;
            let first = answer.chunk().await?.context("no event")?;
            let text = std::str::from_utf8(&first)?;
            let data = text.lines().find_map(|line| line.strip_prefix("data: ")).context("no data")?;
            let start: Value = serde_json::from_str(data)?;
            let id = start.get("run_id").and_then(Value::as_str).context("no run")?;
            begun.push((id.to_owned(), token.clone()));
        }
        Ok(begun)
    }

    fn follow(&self, run: &str, token: &str) -> Vec<u8> {
        format!(
            "GET /api/agents/runs/{run}/events HTTP/1.1\r\nHost: localhost\r\napikey: {}\r\nAuthorization: Bearer {token}\r\n\r\n",
            self.anon_key
        )
        .into_bytes()
    }

    /// Percent of a processor that the host takes, and transactions a second of the database.
    async fn watch(&self, host: &HostProcess, seconds: u16) -> anyhow::Result<(f64, f64)> {
        let mut owner = self.postgres.owner_url().parse::<sqlx::postgres::PgConnectOptions>()?.connect().await?;
        let (cpu, done, started) = (host.processor_seconds()?, transactions(&mut owner).await?, Instant::now());
        tokio::time::sleep(Duration::from_secs(u64::from(seconds))).await;
        let passed = started.elapsed().as_secs_f64();
        let cpu = (host.processor_seconds()? - cpu) * 100.0 / passed;
        let done = f64::from(u32::try_from(transactions(&mut owner).await? - done)?) / passed;
        owner.close().await?;
        Ok((cpu, done))
    }
}

async fn transactions(owner: &mut PgConnection) -> anyhow::Result<i64> {
    let row =
        sqlx::query("select xact_commit + xact_rollback from pg_stat_database where datname = current_database()");
    Ok(row.fetch_one(owner).await?.try_get(0)?)
}

/// Opens streams, a few at once, each until its first event. The time is from the request to that event.
async fn open(address: SocketAddr, requests: &[Vec<u8>], count: usize) -> anyhow::Result<(Vec<TcpStream>, Summary)> {
    use futures::{StreamExt, TryStreamExt};
    let started = Instant::now();
    let opened: Vec<(TcpStream, Duration)> =
        futures::stream::iter(requests.iter().cycle().take(count).map(|request| first_event(address, request)))
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
    let wall = started.elapsed();
    let (streams, times) = opened.into_iter().unzip();
    Ok((streams, Summary::of_times(times, wall)))
}

async fn first_event(address: SocketAddr, request: &[u8]) -> anyhow::Result<(TcpStream, Duration)> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let started = Instant::now();
    stream.write_all(request).await?;
    let mut buffer = Vec::with_capacity(4096);
    while !buffer.windows(6).any(|part| part == b"data: ") {
        ensure!(stream.read_buf(&mut buffer).await? > 0, "the host closed the connection");
        let refused = buffer.len() > 12 && !buffer.starts_with(b"HTTP/1.1 200");
        ensure!(!refused, "an unexpected answer: {}", String::from_utf8_lossy(&buffer));
    }
    Ok((stream, started.elapsed()))
}

/// Whether nothing more can come. What did come, such as a sign of life, is read and forgotten.
fn is_closed(stream: &TcpStream) -> bool {
    let mut buffer = [0; 4096];
    loop {
        match stream.try_read(&mut buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() != std::io::ErrorKind::WouldBlock,
        }
    }
}

/// A model that takes every question and never answers.
async fn silent_model() -> anyhow::Result<String> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/v1", listener.local_addr()?);
    let silence = axum::routing::post(async || std::future::pending::<()>().await);
    let router = axum::Router::new().route("/v1/chat/completions", silence);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(url)
}
