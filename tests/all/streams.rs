//! Streams of events: frames that naive clients can read, and clients on another host than the run's.

use std::time::{Duration, Instant};

use behalf_tests::sse::{Event, read_frame};
use behalf_tests::{ALICE, App, Options, ScriptedModel, Turn, User};
use reqwest::Method;
use serde_json::json;

async fn app(model: &ScriptedModel) -> App {
    App::with(options(model)).await
}

fn options(model: &ScriptedModel) -> Options {
    let settings = vec![
        ("model_base_url", model.url.clone()),
        ("model_api_key", "a-key".to_owned()),
        ("model_default", "openai/scripted".to_owned()),
    ];
    Options { settings }
}

async fn agent(app: &App) -> String {
    let made = app.post(&User::Service, "/api/agents", json!({"name": "helper"})).await;
    made.json["id"].as_str().unwrap_or_else(|| panic!("{}", made.text)).to_owned()
}

/// The next event of a stream that sends whole frames.
async fn next(response: &mut reqwest::Response) -> Option<Event> {
    loop {
        let part = response.chunk().await.unwrap()?;
        if let Some(event) = read_frame(std::str::from_utf8(&part).unwrap()) {
            return Some(event);
        }
    }
}

/// Begins alice's run with a model that hangs, and follows it on another host as far as it goes.
async fn followed_elsewhere(one: &App, two: &App) -> (String, reqwest::Response) {
    let agent = agent(one).await;
    let path = format!("/api/agents/{agent}/run/stream");
    let request = one.request(&User::Is(ALICE), Method::POST, &path).json(&json!({"message": "hello"}));
    let mut own = request.send().await.unwrap();
    let run = next(&mut own).await.unwrap().data["run_id"].as_str().unwrap().to_owned();
    let events = format!("/api/agents/runs/{run}/events");
    let mut foreign = two.request(&User::Is(ALICE), Method::GET, &events).send().await.unwrap();
    while next(&mut foreign).await.unwrap().name() != "content_delta" {}
    (run, foreign)
}

/// How long the end of a run takes to reach a follower.
async fn cancel_and_wait(one: &App, run: &str, foreign: &mut reqwest::Response) -> Duration {
    let cancelled = one.post(&User::Is(ALICE), &format!("/api/agents/runs/{run}/cancel"), json!({})).await;
    assert_eq!(cancelled.json["status"], "cancelled", "{}", cancelled.text);
    let ended = Instant::now();
    while let Some(event) = next(foreign).await {
        if event.name() == "complete" {
            assert_eq!(event.data["status"], "cancelled");
        }
    }
    ended.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_on_another_host_hears_of_events_at_once() {
    let model = ScriptedModel::start([Turn::Hang("Well")]).await;
    let one = app(&model).await;
    let two = App::on(one.database.clone(), options(&model)).await;
    let (run, mut foreign) = followed_elsewhere(&one, &two).await;
    // Who floods the channel wakes followers in vain, no more.
    let noise = format!("select pg_notify('behalf_runs', 'x {run} ' || n) from generate_series(1, 2000) n");
    one.database.execute(&noise).await;
    one.database.execute("notify behalf_runs; notify behalf_runs, ''; notify behalf_runs, 'a  b '").await;
    let took = cancel_and_wait(&one, &run, &mut foreign).await;
    // Looking without being told happens every two seconds.
    assert!(took < Duration::from_millis(900), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_finds_what_nobody_announced() {
    let model = ScriptedModel::start([Turn::Hang("Well")]).await;
    let one = app(&model).await;
    one.database.execute("revoke execute on function pg_notify(text, text) from behalf_host").await;
    let two = App::on(one.database.clone(), options(&model)).await;
    let (run, mut foreign) = followed_elsewhere(&one, &two).await;
    let took = cancel_and_wait(&one, &run, &mut foreign).await;
    assert!(took < Duration::from_secs(5), "{took:?}");
}

/// A client that waits costs the database nothing of its own.
#[tokio::test(flavor = "multi_thread")]
async fn followers_that_wait_ask_the_database_nothing() {
    const FOLLOWERS: usize = 20;
    let model = ScriptedModel::start([Turn::Hang("Well")]).await;
    let app = app(&model).await;
    let two = App::on(app.database.clone(), options(&model)).await;
    let (run, first) = followed_elsewhere(&app, &two).await;
    let path = format!("/api/agents/runs/{run}/events");
    let mut streams = vec![first];
    for _ in 1..FOLLOWERS {
        let mut stream = two.request(&User::Is(ALICE), Method::GET, &path).send().await.unwrap();
        while next(&mut stream).await.unwrap().name() != "content_delta" {}
        streams.push(stream);
    }
    // Past the first look, which wakes all of them once.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let commits = "select xact_commit from pg_stat_database where datname = current_database()";
    let before: i64 = app.database.value(commits).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let asked = app.database.value::<i64>(commits).await - before;
    // Two hosts look after runs and the registry every second or two; twenty followers at 300 ms would be 130 more.
    assert!(asked < 30, "{asked} transactions while nothing happened");
}
