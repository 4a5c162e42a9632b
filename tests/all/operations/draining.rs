//! How a host stops: balancers hear it first, new runs are refused and those under way go to another host, streams are told to
//! come back, and the log says why.

use std::time::{Duration, Instant};

use behalf::app::Stopping;
use behalf_tests::sse::read_events;
use behalf_tests::{ALICE, App, LogLines, Options, ScriptedModel, Turn, User, eventually};
use reqwest::Method;
use serde_json::json;

/// Long enough for everything that a test does meanwhile.
const DRAIN: Duration = Duration::from_secs(6);

/// What a host may take beside it: requests, and then loops.
const BOUND: Duration = Duration::from_secs(16);

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_stops_says_so_first_and_hands_its_work_on() {
    let log = LogLines::take();
    let model = ScriptedModel::start([Turn::Hang("Well"), Turn::Say("The next host said this.")]).await;
    let options = || Options { settings: model.settings() };
    let mut app = App::with(options()).await;
    let other = App::on(app.database.clone(), options()).await;
    let agent = app.agent(&[]).await;
    let (alice, path) = (User::Is(ALICE), format!("/api/agents/{agent}/run/stream"));
    let stream = app.request(&alice, Method::POST, &path).json(&json!({ "message": "go" })).send().await.unwrap();
    let stream = tokio::spawn(read_events(stream));
    eventually("the model was asked", async || model.requests().len() == 1).await;
    let began = Instant::now();
    app.begin_stop(Stopping::slowly("SIGTERM", DRAIN));
    eventually("the host is not ready", async || app.get(&User::Nobody, "/readyz").await.status == 503).await;
    let said = app.get(&User::Nobody, "/readyz").await;
    assert!(said.text.contains("this host is stopping"), "{}", said.text);
    assert_eq!(other.get(&User::Nobody, "/readyz").await.status, 200);
    // Balancers that have not noticed yet send requests, which are answered.
    let called = app.call(&alice, "database_query", json!({ "query": "select 1 as one" })).await;
    assert_eq!(called.result(), &json!([{ "one": 1 }]));
    // A run would not end here, so its client is sent elsewhere.
    let body = json!({ "message": "another" });
    let refused =
        app.request(&alice, Method::POST, &format!("/api/agents/{agent}/run")).json(&body).send().await.unwrap();
    assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].to_str().unwrap()), (503, "1"));
    assert!(began.elapsed() < DRAIN, "the machine is too slow for this test: {:?}", began.elapsed());
    let seen = stream.await.unwrap();
    let last = seen.last().unwrap();
    assert_eq!((last.name(), &last.id), ("disconnected", &None), "{seen:?}");
    // A client that comes back with the last id gets the rest from the other host, whose run it is now.
    let last_id = seen.iter().rev().find_map(|event| event.id.clone()).unwrap();
    let run = seen[0].data["run_id"].as_str().unwrap();
    let rest = other.request(&alice, Method::GET, &format!("/api/agents/runs/{run}/events"));
    let rest = read_events(rest.header("last-event-id", &last_id).send().await.unwrap()).await;
    let end = &rest.last().unwrap().data;
    assert_eq!(
        (&end["status"], &end["content"]),
        (&json!("completed"), &json!("The next host said this.")),
        "{rest:?}"
    );
    app.stopped().await;
    assert!(began.elapsed() < DRAIN + BOUND, "{:?}", began.elapsed());
    let text = log.text();
    let lines: Vec<_> = text.lines().filter(|line| line.contains("the host stops")).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("SIGTERM") && lines[0].contains("drain_ms=6000"), "{lines:?}");
}
