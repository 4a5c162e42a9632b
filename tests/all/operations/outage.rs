//! A database that is away: callers hear that it is, and when to come again; balancers hear it within a second.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use behalf_config::environment;
use behalf_local_postgres::{LocalOptions, LocalPostgres};
use behalf_tests::{ALICE, App, Options, TestDatabase, User, eventually};
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A way to the database that can fall silent: connections stay open, and nothing passes.
struct Way {
    port: u16,
    silent: watch::Sender<bool>,
}

impl Way {
    async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let (silent, is_silent) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let is_silent = is_silent.clone();
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
                    let ((from_client, to_client), (from_server, to_server)) =
                        (client.into_split(), server.into_split());
                    tokio::join!(
                        pass(from_client, to_server, is_silent.clone()),
                        pass(from_server, to_client, is_silent)
                    );
                });
            }
        });
        Self { port: own, silent }
    }

    /// The same address by this way.
    fn of(&self, address: &str) -> String {
        let mut url: reqwest::Url = address.parse().unwrap();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(self.port)).unwrap();
        url.into()
    }
}

async fn pass(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut is_silent: watch::Receiver<bool>,
) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        let is_over = is_silent.wait_for(|silent| !silent).await.is_err();
        if is_over || to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
    to.shutdown().await.ok();
}

fn local(folder: &std::path::Path, port: Option<u16>) -> LocalOptions {
    let bin_dir = environment("BEHALF_POSTGRES_BIN").map(PathBuf::from);
    LocalOptions { dir: folder.join("postgres"), bin_dir, port, settings: Vec::new() }
}

/// What a client learns of one request: status, `Retry-After`, body.
async fn told(app: &App, method: Method, path: &str, body: &Value) -> (u16, Option<String>, Value) {
    let user = User::Is(ALICE);
    let response = app.request(&user, method, path).json(body).send().await.unwrap();
    let wait = response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
    let status = response.status().as_u16();
    (status, wait, response.json().await.unwrap_or_default())
}

async fn ready(app: &App) -> u16 {
    app.get(&User::Nobody, "/readyz").await.status
}

/// Waits until a balancer hears that the host is not ready, and returns how long that took.
async fn until_unready(app: &App) -> Duration {
    let since = Instant::now();
    while ready(app).await == 200 {
        assert!(since.elapsed() < Duration::from_secs(20), "the host stays ready");
    }
    since.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_database_is_away_is_answered_with_503_and_when_to_come_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = LocalPostgres::start(&local(folder.path(), None)).await.unwrap();
    let port = server.port();
    let database = TestDatabase::create_on(&server.owner_url()).await;
    let app = App::on(database, Options { settings: vec![("rate_limit_user", "0".to_owned())] }).await;
    let read = json!({ "arguments": { "query": "select title from notes" } });
    let write = json!({ "arguments": {
        "table": "notes", "operation": "insert", "data": { "title": "late", "body": "…" }
    } });
    let calls = [("database_query", &read), ("database_write", &write)];
    for (tool, body) in calls {
        let path = format!("/api/tools/{tool}/call");
        let answers = join_all((0..4).map(|_| told(&app, Method::POST, &path, body))).await;
        assert!(answers.iter().all(|(status, ..)| *status == 200), "{answers:?}");
    }
    server.stop().await.unwrap();
    let noticed = until_unready(&app).await;
    assert!(noticed < Duration::from_secs(1), "a balancer heard of it after {noticed:?}");
    for (tool, body) in calls {
        let path = format!("/api/tools/{tool}/call");
        for (status, wait, body) in join_all((0..20).map(|_| told(&app, Method::POST, &path, body))).await {
            assert_eq!((status, wait.as_deref()), (503, Some("1")), "{tool}: {body}");
            assert_eq!(body["type"], "urn:behalf:problem:unavailable", "{body}");
            assert_eq!(body["code"], "unavailable", "{body}");
        }
    }
    for path in ["/rest/v1/notes?select=title", "/auth/v1/health", "/storage/v1/object/list/files"] {
        let method = if path.contains("list") { Method::POST } else { Method::GET };
        let (status, wait, body) = told(&app, method, path, &json!({ "prefix": "" })).await;
        assert_eq!((status, wait.as_deref()), (503, Some("1")), "{path}: {body}");
    }
    let again = LocalPostgres::start(&local(folder.path(), Some(port))).await.unwrap();
    eventually("the host is ready again", async || ready(&app).await == 200).await;
    eventually("calls work again", async || {
        app.call(&User::Is(ALICE), "database_query", read["arguments"].clone()).await.status == 200
    })
    .await;
    // What was answered with 503 changed nothing.
    assert_eq!(app.database.value::<i64>("select count(*) from notes where title = 'late'").await, 4);
    // The audit log blames the host.
    eventually("the calls are in the audit log", async || {
        let rows = app.audit().await;
        let away: Vec<_> = rows.iter().filter(|row| row["outcome"] == "unavailable").collect();
        !away.is_empty() && away.iter().all(|row| row["blame"] == "host")
    })
    .await;
    drop(app);
    again.discard().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_falls_silent_is_noticed_within_a_second() {
    let database = TestDatabase::create().await;
    let server: reqwest::Url = database.host_url().parse().unwrap();
    let way = Arc::new(Way::to(server.port().unwrap_or(5432)).await);
    let settings =
        vec![("host_database_url", way.of(&database.host_url())), ("tool_database_url", way.of(&database.tool_url()))];
    let app = App::on(database, Options { settings }).await;
    eventually("the host is ready", async || ready(&app).await == 200).await;
    way.silent.send(true).unwrap();
    let noticed = until_unready(&app).await;
    assert!(noticed < Duration::from_millis(1_200), "a balancer heard of it after {noticed:?}");
    // Whoever asks then hears it as soon, however many ask.
    let asked = Instant::now();
    assert!(join_all((0..20).map(|_| ready(&app))).await.iter().all(|status| *status == 503));
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    way.silent.send(false).unwrap();
    eventually("the host is ready again", async || ready(&app).await == 200).await;
}
