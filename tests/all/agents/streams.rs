//! Event streams: whole frames that simple clients can read, and clients on another host than the run's.

use std::path::Path;
use std::time::{Duration, Instant};

use behalf_tests::app::{anon_key, token};
use behalf_tests::sse::{Event, read_frame};
use behalf_tests::{ALICE, App, Options, ScriptedModel, Turn, User, guests};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

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
    let id = made.json["id"].as_str().unwrap_or_else(|| panic!("{}", made.text)).to_owned();
    let tool = json!({"tool_type": "builtin", "tool_name": "database_query"});
    let assigned = app.post(&User::Service, &format!("/api/agents/{id}/tools"), tool).await;
    assert_eq!(assigned.status, 201, "{}", assigned.text);
    id
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

/// Cancels the run, and returns how long its end takes to reach the follower.
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
    // Other notifications on the channel only wake the followers.
    let noise = format!("select pg_notify('behalf_runs', 'x {run} ' || n) from generate_series(1, 2000) n");
    one.database.execute(&noise).await;
    one.database.execute("notify behalf_runs; notify behalf_runs, ''; notify behalf_runs, 'a  b '").await;
    let took = cancel_and_wait(&one, &run, &mut foreign).await;
    // Without a notification a follower looks every two seconds.
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

/// Three steps with letters of one to four bytes, line breaks and quotes in rows, arguments and answers.
fn wordy() -> [Turn; 3] {
    let query = json!({"query": "select repeat(E'Grüße, 世界 \"🌍\"\\n', 300) as text, title, body from notes"});
    let words = "naïve “façade” 日本語 \n\n🦀 ".repeat(200);
    [
        Turn::Call(vec![("database_query", query.clone()), ("database_query", json!({"query": "select 1 as one"}))]),
        Turn::Think("Hm… 考える\n🤔", "Zwischenstand: ü\n"),
        Turn::Say(words.leak()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn recipe_4a_reads_every_event_without_carrying_anything_over() {
    const RUNS: usize = 5;
    let model = ScriptedModel::start((0..RUNS).flat_map(|_| {
        let [call, _, say] = wordy();
        [call, say]
    }))
    .await;
    let app = app(&model).await;
    let agent = agent(&app).await;
    for _ in 0..RUNS {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes/4a.mjs");
        let mut node = tokio::process::Command::new("node");
        node.arg(script).env("BASE_URL", &app.url).env("ANON_KEY", anon_key()).env("TOKEN", token(ALICE));
        let output = node.env("AGENT", &agent).env("MESSAGE", "Was gibt’s? 🦀").output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let read: Value = serde_json::from_slice(&output.stdout).unwrap();
        let run = read["complete"]["run_id"].as_str().unwrap_or_else(|| panic!("no end: {read}"));
        let row = app.get(&User::Is(ALICE), &format!("/api/agents/runs/{run}")).await.json;
        assert_eq!(read["complete"]["status"], "completed", "{read}");
        assert!(row["content"].as_str().unwrap().contains("日本語"));
        for (what, text) in
            [("chunk", &read["answer"]), ("live", &read["live"]), ("complete", &read["complete"]["content"])]
        {
            assert_eq!(text, &row["content"], "{what}");
        }
        let stored = row["events"].as_array().unwrap().iter().map(|event| event["event"].as_str().unwrap());
        let pieces = ["content_delta", "reasoning_delta", "tool_progress", "tool_partial"];
        let seen = read["seen"].as_array().unwrap().iter().map(|name| name.as_str().unwrap());
        assert_eq!(seen.filter(|name| !pieces.contains(name)).collect::<Vec<_>>(), stored.collect::<Vec<_>>());
    }
}

/// Parts of a result come before the rest, in their order, and with all their digits.
#[tokio::test(flavor = "multi_thread")]
async fn parts_of_a_result_are_events_of_its_run() {
    let model = ScriptedModel::start([Turn::Call(vec![("with_parts", json!({}))]), Turn::Say("Three.")]).await;
    let app = app(&model).await;
    app.install(guests::CONTENT, &json!({})).await;
    let agent = app.agent(&["with_parts"]).await;
    let path = format!("/api/agents/{agent}/run/stream");
    let mut stream =
        app.request(&User::Is(ALICE), Method::POST, &path).json(&json!({"message": "hello"})).send().await.unwrap();
    let (mut parts, mut names) = (Vec::new(), Vec::new());
    while let Some(event) = next(&mut stream).await {
        names.push(event.name().to_owned());
        if event.name() == "tool_partial" {
            assert_eq!(event.data["tool_name"], "with_parts");
            parts.extend(event.data["parts"].as_array().unwrap().clone());
        }
    }
    assert_eq!(parts, [json!({"row": 1}), json!({"row": 2}), json!({"row": 3}), json!("12345678901234567.89")]);
    let place = |name: &str| names.iter().rposition(|one| one == name).unwrap_or_else(|| panic!("{name}: {names:?}"));
    assert!(place("tool_call") < place("tool_partial") && place("tool_partial") < place("tool_result"), "{names:?}");
    // Where a call is answered as a whole, nobody sees parts; what is no JSON ends it all the same.
    let whole = app.call(&User::Is(ALICE), "with_parts", json!({})).await;
    assert_eq!(whole.result(), "three rows");
    for bad in ["{", "", "1 2"] {
        let ended = app.call(&User::Is(ALICE), "with_parts", json!({"bad": bad})).await;
        assert_eq!(ended.json["code"], "trapped", "{bad}: {}", ended.text);
    }
}

/// The parts of a chunked body, as they were sent.
fn parts(mut body: &[u8]) -> Vec<String> {
    let mut parts = Vec::new();
    loop {
        let line = body.windows(2).position(|pair| pair == b"\r\n").unwrap();
        let size = usize::from_str_radix(std::str::from_utf8(&body[..line]).unwrap(), 16).unwrap();
        if size == 0 {
            return parts;
        }
        let start = line + 2;
        parts.push(String::from_utf8(body[start..start + size].to_vec()).unwrap());
        assert_eq!(&body[start + size..start + size + 2], b"\r\n");
        body = &body[start + size + 2..];
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_part_of_the_body_is_one_whole_frame() {
    let [call, _, _] = wordy();
    let long = "ein längeres Wort 🦀 ".repeat(5_000);
    let model = ScriptedModel::start([call, Turn::Say(long.leak())]).await;
    let app = app(&model).await;
    let agent = agent(&app).await;
    let mut stream = tokio::net::TcpStream::connect(app.url.trim_start_matches("http://")).await.unwrap();
    let body = json!({"message": "hello"}).to_string();
    let request = format!(
        "POST /api/agents/{agent}/run/stream HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\napikey: {}\r\n\
         Authorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        anon_key(),
        token(ALICE),
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let head = answer.windows(4).position(|part| part == b"\r\n\r\n").unwrap();
    let text = String::from_utf8_lossy(&answer[..head]).to_lowercase();
    for header in ["content-type: text/event-stream", "cache-control: no-cache", "x-accel-buffering: no"] {
        assert!(text.contains(header), "{text}");
    }
    let parts = parts(&answer[head + 4..]);
    for part in &parts {
        assert!(part.ends_with("\n\n") && part.matches("\n\n").count() == 1, "{part}");
        assert!(part.starts_with(": ") || (part.starts_with("id: ") && read_frame(part).is_some()), "{part}");
    }
    assert!(parts.iter().any(|part| part.len() > 64 * 1024), "the test lost its object");
}

/// A client that waits costs the database nothing of its own.
#[tokio::test(flavor = "multi_thread")]
async fn followers_that_wait_ask_the_database_nothing() {
    const FOLLOWERS: usize = 40;
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
    // The count begins after the first look, which wakes all of them once.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let commits = "select xact_commit from pg_stat_database where datname = current_database()";
    let before: i64 = app.database.value(commits).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let asked = app.database.value::<i64>(commits).await - before;
    // Two hosts look after runs and the registry every second or so; forty followers at 300 ms would be 260 more.
    assert!(asked < 90, "{asked} transactions while nothing happened");
}
