//! Callers without an identity: what they send adds nothing to the host's memory, and work for them is limited.

use std::time::Duration;

use behalf_tests::app::token;
use behalf_tests::{ALICE, App, BOB, Options, User, eventually};
use futures::StreamExt;
use futures::future::join_all;
use futures::stream::FuturesUnordered;
use reqwest::Method;
use serde_json::json;
use sqlx::Connection;

/// A bound on waiting: whoever reaches it waits for the lock that the test holds.
const HANGS: Duration = Duration::from_secs(15);

async fn with(settings: &[(&'static str, &str)]) -> App {
    let settings = settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    App::with(Options { settings }).await
}

/// The series of this metric.
async fn series(app: &App, metric: &str) -> Vec<String> {
    let text = app.get(&User::Nobody, "/metrics").await.text;
    text.lines().filter(|line| line.starts_with(metric)).map(str::to_owned).collect()
}

fn guess(n: usize) -> User {
    User::Token(format!("bhd_{n:043}"))
}

/// The answers to so many unknown delegation tokens, none of which may have to wait.
async fn statuses_of_guesses(app: &App, guesses: std::ops::Range<usize>) -> Vec<u16> {
    let asked = guesses.map(|n| async move { app.get(&guess(n), "/api/tools").await.status });
    tokio::time::timeout(HANGS, join_all(asked)).await.expect("a refused token was looked up")
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_and_paths_of_strangers_add_no_series() {
    let app = App::start().await;
    let ask = async |n: usize| {
        let method = Method::from_bytes(format!("ODD{n}").as_bytes()).unwrap();
        let status = app.request(&User::Nobody, method, "/api/tools").send().await.unwrap().status();
        assert_eq!(status, 405);
        assert_eq!(app.get(&User::Nobody, &format!("/api/odd{n}")).await.status, 404);
    };
    for n in 0..3 {
        ask(n).await;
    }
    let before = series(&app, "behalf_http_requests_total").await;
    for n in 3..100 {
        ask(n).await;
    }
    let after = series(&app, "behalf_http_requests_total").await;
    // The request for the metrics themselves is counted after its answer.
    assert!(after.len() <= before.len() + 1, "{before:?}\n{after:?}");
    assert!(after.iter().any(|line| line.contains(r#"method="other""#) && line.ends_with(" 100")), "{after:?}");
    assert!(after.iter().any(|line| line.contains(r#"route="unmatched""#) && line.ends_with(" 100")), "{after:?}");
    assert!(after.iter().all(|line| !line.to_lowercase().contains("odd")), "{after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_delegations_beyond_the_limit_are_not_looked_up() {
    let app = with(&[("rate_limit_anon", "1")]).await;
    assert_eq!(statuses_of_guesses(&app, 0..1).await, [401]);
    let mut owner = app.database.owner().await;
    let mut tx = owner.begin().await.unwrap();
    sqlx::query("lock table ai.delegations in access exclusive mode").execute(&mut *tx).await.unwrap();
    assert_eq!(statuses_of_guesses(&app, 1..60).await, [429; 59]);
    tx.rollback().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn at_most_the_limit_is_looked_up_however_many_ask_at_once() {
    let app = with(&[("rate_limit_anon", "2")]).await;
    let mut owner = app.database.owner().await;
    let mut tx = owner.begin().await.unwrap();
    sqlx::query("lock table ai.delegations in access exclusive mode").execute(&mut *tx).await.unwrap();
    let mut asked: FuturesUnordered<_> = (0..80)
        .map(|n| {
            let app = &app;
            async move { app.get(&guess(n), "/api/tools").await.status }
        })
        .collect();
    for _ in 0..78 {
        let status = tokio::time::timeout(HANGS, asked.next()).await.expect("more than two were looked up");
        assert_eq!(status, Some(429));
    }
    tx.rollback().await.unwrap();
    assert_eq!(asked.collect::<Vec<_>>().await, [401, 401]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refused_request_is_counted() {
    for header in [
        ("apikey", "a-wrong-key"),
        ("authorization", "Bearer x.y.z"),
        ("authorization", "Basic eA=="),
        ("x-nothing", "x"),
    ] {
        let app = with(&[("rate_limit_anon", "3")]).await;
        let mut statuses = Vec::new();
        for _ in 0..5 {
            let request = app.request(&User::Nobody, Method::GET, "/api/tools").header(header.0, header.1);
            statuses.push(request.send().await.unwrap().status().as_u16());
        }
        assert_eq!(statuses, [401, 401, 401, 429, 429], "{header:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_do_not_lock_out_callers_who_are_known() {
    let app = with(&[("rate_limit_anon", "2")]).await;
    let agent = app.agent(&[]).await;
    // One token: another would be made in the next second, and be unknown.
    let alice = User::Token(token(ALICE));
    let made = app.post(&alice, "/api/delegations", json!({"agent_id": agent})).await;
    let service = User::Token(made.json["token"].as_str().unwrap().to_owned());
    let run = format!("/api/agents/{agent}/run");
    assert_eq!(app.post(&service, &run, json!({"message": "hi"})).await.status, 200);
    // Valid tokens used up no place of their address.
    assert_eq!(statuses_of_guesses(&app, 0..6).await.iter().filter(|status| **status == 401).count(), 2);
    assert_eq!(app.get(&alice, "/api/tools").await.status, 200);
    assert_eq!(app.get(&User::Service, "/api/tools").await.status, 200);
    assert_eq!(app.post(&service, &run, json!({"message": "hi"})).await.status, 200);
    assert_eq!(app.get(&User::Is(BOB), "/api/tools").await.status, 429, "a token that was never seen here");
    // A token that stopped being valid is known no longer.
    let id = made.json["id"].as_str().unwrap();
    assert_eq!(app.send(&alice, Method::DELETE, &format!("/api/delegations/{id}"), json!({})).await.status, 200);
    assert_eq!(app.post(&service, &run, json!({"message": "hi"})).await.status, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_set_is_read_once_for_all_who_ask() {
    let app = with(&[("key_set_cache_seconds", "60")]).await;
    let ask = || app.get(&User::Nobody, "/.well-known/jwks.json");
    let kept = app.request(&User::Nobody, Method::GET, "/.well-known/jwks.json").send().await.unwrap();
    assert_eq!(kept.headers()["cache-control"], "public, max-age=60");
    let mut owner = app.database.owner().await;
    let mut tx = owner.begin().await.unwrap();
    sqlx::query("lock table ai.assertion_keys in access exclusive mode").execute(&mut *tx).await.unwrap();
    let waiting = "select count(*) from pg_locks where not granted and relation = 'ai.assertion_keys'::regclass";
    let blocked = async {
        // Asks until the copy in memory is old; then all who ask wait for one statement.
        eventually("nobody reads the keys", async || {
            let asked = join_all((0..20).map(|_| ask()));
            let _ = tokio::time::timeout(Duration::from_millis(200), asked).await;
            app.database.value::<i64>(waiting).await > 0
        })
        .await;
        let all = join_all((0..20).map(|_| ask()));
        let most = async {
            let mut most = 0;
            for _ in 0..20 {
                most = most.max(app.database.value::<i64>(waiting).await);
            }
            tx.rollback().await.unwrap();
            most
        };
        futures::join!(all, most)
    };
    let (answers, most) = tokio::time::timeout(Duration::from_mins(1), blocked).await.expect("an answer never came");
    assert!(answers.iter().all(|answer| answer.status == 200 && answer.json["keys"].is_array()));
    assert!(most <= 2, "{most} statements for one set of keys");
}

#[tokio::test(flavor = "multi_thread")]
async fn open_routes_need_no_connection_of_their_own() {
    let app = with(&[("host_connections", "2")]).await;
    let asked = (0..200).map(|n| {
        let path = ["/healthz", "/readyz", "/.well-known/jwks.json", "/metrics"][n % 4];
        let app = &app;
        async move { (path, app.get(&User::Nobody, path).await) }
    });
    for (path, answer) in join_all(asked).await {
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    }
}
