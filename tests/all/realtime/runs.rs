//! Runs, sources and approvals on the channels of their users.

use std::path::Path;
use std::time::{Duration, Instant};

use behalf_tests::app::service_key;
use behalf_tests::realtime::{RealtimeSocket, Vsn, key_of};
use behalf_tests::sse::{Event, read_events};
use behalf_tests::{
    ALICE, Answer, App, BOB, Options, ScriptedModel, TestDatabase, Turn, User, eventually, guests, write_grants,
};
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::protocols::clients::words;

const MESSAGES: &str = "select count(*) from realtime.messages where event = 'run_event'";

/// A user's channel on a socket of its own.
struct Ear {
    socket: RealtimeSocket,
    topic: String,
    join_ref: Value,
}

impl Ear {
    /// Joins the private channel, which has to succeed.
    async fn join(app: &App, user: &User, topic: &str) -> Self {
        Self::try_join(app, user, topic, true).await.unwrap_or_else(|refusal| panic!("{topic}: {refusal}"))
    }

    /// Joins a channel; an error is why not.
    async fn try_join(app: &App, user: &User, topic: &str, is_private: bool) -> Result<Self, String> {
        let query = format!("apikey={}&vsn=2.0.0", key_of(user));
        let opened = RealtimeSocket::open(app, &query, Vsn::Two).await;
        let mut socket = opened.map_err(|status| status.to_string())?;
        let answer = socket.join(topic, json!({"config": {"private": is_private}})).await;
        if answer["status"] != "ok" {
            return Err(answer.to_string());
        }
        // The join was its first message.
        Ok(Self { socket, topic: topic.to_owned(), join_ref: json!("1") })
    }

    /// The next broadcast: its event and its content.
    async fn next(&mut self) -> (String, Value) {
        broadcast(&self.socket.event("broadcast").await.payload)
    }

    /// The broadcasts that came and were not read.
    async fn heard(&mut self) -> Vec<(String, Value)> {
        let all = self.socket.until_now().await;
        all.iter().filter(|message| message.event == "broadcast").map(|message| broadcast(&message.payload)).collect()
    }

    async fn send(&mut self, event: &str, payload: Value) {
        self.socket.broadcast(&self.join_ref, &self.topic, event, payload).await;
    }
}

fn broadcast(payload: &Value) -> (String, Value) {
    (payload["event"].as_str().unwrap().to_owned(), payload["payload"].clone())
}

fn chat() -> String {
    format!("chat:{ALICE}")
}

async fn on(database: TestDatabase, model: &ScriptedModel) -> App {
    App::on(database, Options { settings: model.settings() }).await
}

/// An agent whose runs are told to their users' channels.
async fn mirrored(app: &App) -> String {
    let agent = app.agent(&["echo"]).await;
    let body = json!({"settings": {"mirror_to_channel": true}});
    let changed = app.send(&User::Service, Method::PATCH, &format!("/api/agents/{agent}"), body).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    agent
}

async fn run(app: &App, user: &User, agent: &str) -> Vec<Event> {
    let request = app.request(user, Method::POST, &format!("/api/agents/{agent}/run/stream"));
    read_events(request.json(&json!({"message": "go"})).send().await.unwrap()).await
}

/// What a stream says of its events: their numbers, and what they are.
fn streamed(events: &[Event]) -> Vec<(i64, Value)> {
    let one = |event: &Event| (event.id.as_ref().unwrap().parse().unwrap(), event.data.clone());
    events.iter().map(one).collect()
}

/// What a channel says of a run, up to its end.
async fn heard(channel: &mut Ear, run: &str) -> Vec<(i64, Value)> {
    let mut all = Vec::new();
    loop {
        let (event, payload) = channel.next().await;
        assert_eq!((event.as_str(), &payload["run_id"]), ("run_event", &json!(run)), "{payload}");
        let name = payload["type"].clone();
        assert!(payload["data"].is_null() || payload["data"]["event"] == name, "{payload}");
        all.push((payload["id"].as_i64().unwrap(), payload["data"].clone()));
        if name == "complete" {
            return all;
        }
    }
}

fn run_of(events: &[Event]) -> &str {
    events[0].data["run_id"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_tells_what_the_stream_tells_in_the_same_order_once() {
    let turns = [
        Turn::Think("Hm… 考える", "Let me see.\n"),
        Turn::Call(vec![("echo", json!({"text": "Grüße 🦀"})), ("echo", json!({"text": "\u{1f}\\\""}))]),
        Turn::Say("naïve “façade” 日本語"),
        Turn::Say("Again."),
    ];
    let model = ScriptedModel::start(turns).await;
    let one = on(TestDatabase::create().await, &model).await;
    let two = on(one.database.clone(), &model).await;
    let agent = mirrored(&one).await;
    let (mut phone, mut laptop) =
        (Ear::join(&two, &User::Is(ALICE), &chat()).await, Ear::join(&one, &User::Is(ALICE), &chat()).await);
    for _ in 0..3 {
        let events = run(&one, &User::Is(ALICE), &agent).await;
        let wanted = streamed(&events);
        assert!(wanted.iter().any(|(_, event)| event["event"] == "content_delta"), "{wanted:?}");
        assert_eq!(heard(&mut phone, run_of(&events)).await, wanted);
        assert_eq!(heard(&mut laptop, run_of(&events)).await, wanted);
        // And a device that had heard the first two of them.
        let path = format!("/api/agents/runs/{}/events", run_of(&events));
        let later =
            two.request(&User::Is(ALICE), Method::GET, &path).header("last-event-id", "2").send().await.unwrap();
        assert_eq!(streamed(&read_events(later).await), wanted[2..]);
    }
    assert_eq!(
        one.database.value::<i64>("select count(*) from behalf.realtime_outbox").await,
        one.database.value::<i64>(MESSAGES).await
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_goes_on_with_a_run_that_another_host_took_over() {
    let model = ScriptedModel::start([Turn::Hang("Well"), Turn::Say("Here is the answer.")]).await;
    let one = on(TestDatabase::create().await, &model).await;
    let two = on(one.database.clone(), &model).await;
    let agent = mirrored(&one).await;
    let mut channel = Ear::join(&two, &User::Is(ALICE), &chat()).await;
    let path = format!("/api/agents/{agent}/run/stream");
    let begun =
        one.request(&User::Is(ALICE), Method::POST, &path).json(&json!({"message": "go"})).send().await.unwrap();
    let run: String = {
        let read = "select run_id from ai.run_events where event ->> 'event' = 'content_delta'";
        eventually("the model has begun", async || {
            two.database.value::<Option<String>>(&format!("select ({read} limit 1)")).await.is_some()
        })
        .await;
        two.database.value(read).await
    };
    let database = one.stop().await;
    drop(begun);
    let all = heard(&mut channel, &run).await;
    let stored: Value =
        database.value("select jsonb_agg(jsonb_build_array(seq, event) order by seq) from ai.run_events").await;
    assert_eq!(json!(all), stored);
    assert!(all.iter().any(|(_, event)| event["event"] == "step_reset"), "{all:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_hears_a_run_and_nobody_speaks_on_its_channel() {
    let model = ScriptedModel::start([Turn::Say("For Alice."), Turn::Say("For Bob.")]).await;
    let app = on(TestDatabase::create().await, &model).await;
    let agent = mirrored(&app).await;
    let delegation = app.post(&User::Is(ALICE), "/api/delegations", json!({ "agent_id": agent })).await;
    let deputy =
        User::Token(delegation.json["token"].as_str().unwrap_or_else(|| panic!("{}", delegation.text)).to_owned());
    for user in [User::Is(BOB), User::Anon, deputy] {
        for topic in [chat(), format!("user:{ALICE}")] {
            assert!(Ear::try_join(&app, &user, &topic, true).await.is_err(), "{user:?} hears {topic}");
        }
    }
    // Other spellings are other topics, of which nobody has one.
    let upper = ALICE.to_string().to_uppercase();
    for topic in [
        format!("chat:{upper}"),
        format!("Chat:{ALICE}"),
        format!(" chat:{ALICE}"),
        format!("chat:{ALICE}:x"),
        "chat:".to_owned(),
    ] {
        assert!(Ear::try_join(&app, &User::Is(ALICE), &topic, true).await.is_err(), "{topic}");
    }
    let mut public = Ear::try_join(&app, &User::Is(BOB), &chat(), false).await.unwrap();
    let mut bobs = Ear::join(&app, &User::Is(BOB), &format!("chat:{BOB}")).await;
    let mut alices = Ear::join(&app, &User::Is(ALICE), &chat()).await;
    alices.send("run_event", json!({"forged": true})).await;
    let events = run(&app, &User::Is(ALICE), &agent).await;
    assert_eq!(heard(&mut alices, run_of(&events)).await, streamed(&events));
    let events = run(&app, &User::Is(BOB), &agent).await;
    assert_eq!(heard(&mut bobs, run_of(&events)).await, streamed(&events), "Bob heard nothing before his own");
    public.send("mine", json!({})).await;
    assert_eq!(public.heard().await, Vec::<(String, Value)>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_told_only_where_the_agent_s_setting_said_so_when_they_began() {
    let model = ScriptedModel::start([]).await;
    let app = on(TestDatabase::create().await, &model).await;
    let agent = app.agent(&[]).await;
    let path = format!("/api/agents/{agent}");
    run(&app, &User::Is(ALICE), &agent).await;
    for wrong in [json!("yes"), json!(1), json!({"topic": "x"})] {
        let body = json!({ "settings": { "mirror_to_channel": wrong } });
        assert_eq!(app.send(&User::Service, Method::PATCH, &path, body).await.status, 400);
    }
    assert_eq!(app.database.value::<i64>(MESSAGES).await, 0);
    let agent = mirrored(&app).await;
    // In the service role's own name there is no user to tell.
    run(&app, &User::Service, &agent).await;
    assert_eq!(app.database.value::<i64>(MESSAGES).await, 0);
    run(&app, &User::ServiceFor(ALICE), &agent).await;
    let topics =
        "select string_agg(distinct topic, ' ') from realtime.messages where private and extension = 'broadcast'";
    assert_eq!(app.database.value::<String>(topics).await, chat());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_event_is_told_by_its_number() {
    let model = ScriptedModel::start([Turn::Say("ü".repeat(200_000).leak())]).await;
    let app = on(TestDatabase::create().await, &model).await;
    let agent = mirrored(&app).await;
    let mut channel = Ear::join(&app, &User::Is(ALICE), &chat()).await;
    let events = run(&app, &User::Is(ALICE), &agent).await;
    let all = heard(&mut channel, run_of(&events)).await;
    let is_large = |event: &Value| event.to_string().len() > 256 * 1024;
    let wanted = streamed(&events).into_iter();
    let wanted: Vec<_> =
        wanted.map(|(id, event)| if is_large(&event) { (id, Value::Null) } else { (id, event) }).collect();
    assert!(wanted.iter().filter(|(_, event)| event.is_null()).count() >= 2);
    assert_eq!(all, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_cannot_be_stored_costs_no_run_and_no_source() {
    let model = ScriptedModel::start([Turn::Say("All the same.")]).await;
    let app = on(TestDatabase::create().await, &model).await;
    let agent = mirrored(&app).await;
    app.database.execute("alter table realtime.messages add constraint full_up check (topic is null) not valid").await;
    let events = run(&app, &User::Is(ALICE), &agent).await;
    assert_eq!(events.last().unwrap().data["content"], "All the same.");
    let insert = format!("insert into ai.sources (owner_id, name) values ('{ALICE}', 'a')");
    app.database.execute(&insert).await;
    app.database.execute("update ai.sources set extraction_status = 'failed'").await;
    assert_eq!(app.database.value::<i64>("select count(*) from realtime.messages").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_stored_where_no_host_serves_channels() {
    let model = ScriptedModel::start([Turn::Say("Quiet.")]).await;
    let mut settings = model.settings();
    settings.push(("realtime", "off".to_owned()));
    let app = App::on(TestDatabase::create().await, Options { settings }).await;
    let agent = mirrored(&app).await;
    let events = run(&app, &User::Is(ALICE), &agent).await;
    assert_eq!(events.last().unwrap().data["content"], "Quiet.");
    app.database.execute(&format!("insert into ai.sources (owner_id, name) values ('{ALICE}', 'a')")).await;
    assert_eq!(app.database.value::<i64>("select count(*) from realtime.messages").await, 0);
    assert_eq!(app.get(&User::Anon, "/realtime/v1/websocket").await.status, 404);
}

/// What a channel tells until this.
async fn told(channel: &mut Ear, until: impl Fn(&str, &Value) -> bool) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    loop {
        let (event, payload) = channel.next().await;
        let is_last = until(&event, &payload);
        all.push((event, payload));
        if is_last {
            return all;
        }
    }
}

/// Waits for a status of something of Alice's. The first document waits until the reader is compiled.
async fn until(app: &App, path: &str, member: &str, status: &str) {
    let end = Instant::now() + Duration::from_mins(2);
    loop {
        let found = app.get(&User::Is(ALICE), path).await;
        if found.json[member] == status {
            return;
        }
        assert!(Instant::now() < end, "{path}: {}", found.text);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn statuses(told: &[(String, Value)], event: &str) -> Vec<String> {
    let of = told.iter().filter(|(name, _)| name == event);
    of.map(|(_, payload)| payload["status"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn owners_hear_of_their_sources_wherever_they_are() {
    let files = tempfile::tempdir().unwrap();
    let settings = || Options { settings: vec![("storage", format!("file://{}", files.path().display()))] };
    let one = App::on(TestDatabase::create().await, settings()).await;
    let two = App::on(one.database.clone(), settings()).await;
    let (mut alices, mut bobs) = (
        Ear::join(&two, &User::Is(ALICE), &format!("user:{ALICE}")).await,
        Ear::join(&two, &User::Is(BOB), &format!("user:{BOB}")).await,
    );
    let form = Form::new().part("file", Part::text("The pool is closed in May.").file_name("secret name.txt"));
    let sent = one.request(&User::Is(ALICE), Method::POST, "/api/sources/upload").multipart(form).send().await.unwrap();
    let added = Answer::of(sent).await;
    let source = added.json["id"].as_str().unwrap_or_else(|| panic!("{}", added.text));
    until(&one, &format!("/api/sources/{source}"), "extraction_status", "extracted").await;
    let read = told(&mut alices, |event, payload| event == "source" && payload["status"] == "extracted").await;
    assert!(read.iter().all(|(_, payload)| payload["id"] == source), "{read:?}");
    assert_eq!(statuses(&read, "source"), ["pending", "extracting", "extracted"]);

    let base = one.post(&User::Is(ALICE), "/api/knowledge-bases", json!({"name": "hers"})).await;
    let base = base.json["id"].as_str().unwrap_or_else(|| panic!("{}", base.text));
    let body = json!({ "source_id": source });
    let taken = one.post(&User::Is(ALICE), &format!("/api/knowledge-bases/{base}/sources"), body).await;
    assert_eq!(taken.status, 201, "{}", taken.text);
    let place = taken.json["id"].as_str().unwrap();
    until(&one, &format!("/api/knowledge-bases/{base}/sources/{place}"), "index_status", "indexed").await;
    let indexed = told(&mut alices, |event, payload| event == "indexed_source" && payload["status"] == "indexed").await;
    assert_eq!(statuses(&indexed, "indexed_source"), ["pending", "indexing", "indexed"], "{indexed:?}");
    let (_, last) = indexed.last().unwrap();
    assert_eq!(*last, json!({"id": last["id"], "knowledge_base_id": base, "source_id": source, "status": "indexed"}));

    let deleted = one.send(&User::Is(ALICE), Method::DELETE, &format!("/api/sources/{source}"), json!({})).await;
    assert!(deleted.status < 300, "{}", deleted.text);
    let gone = told(&mut alices, |event, payload| event == "source" && payload["status"] == "deleted").await;
    assert!(!json!([read, indexed, gone]).to_string().contains("secret name"), "texts are not told");
    assert_eq!(bobs.heard().await, Vec::<(String, Value)>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_hears_of_calls_that_wait_for_an_approval() {
    let write = json!({"sql": format!("insert into notes (owner_id, title) values ('{ALICE}', 'no')")});
    let model = ScriptedModel::start([Turn::Call(vec![("sql", write)]), Turn::Say("As you wish.")]).await;
    let app = on(TestDatabase::create().await, &model).await;
    app.install(guests::PROBE, &write_grants()).await;
    let agent = app.agent(&[]).await;
    let assign = json!({"tool_type": "wasm", "tool_name": "sql", "approval": "writes"});
    assert_eq!(app.post(&User::Service, &format!("/api/agents/{agent}/tools"), assign).await.status, 201);
    let mut channel = Ear::join(&app, &User::Is(ALICE), &format!("user:{ALICE}")).await;
    let alice = User::Is(ALICE);
    let decide = async {
        let (event, waiting) = channel.next().await;
        assert_eq!((event.as_str(), &waiting["status"]), ("approval", &json!("pending")));
        let body = json!({"approved": false, "approval_id": waiting["id"]});
        let path = format!("/api/agents/runs/{}/approve", waiting["run_id"].as_str().unwrap());
        assert_eq!(app.post(&alice, &path, body).await.status, 200);
        let (event, decided) = channel.next().await;
        let wanted = json!({"id": waiting["id"], "run_id": waiting["run_id"], "status": "denied"});
        assert_eq!((event.as_str(), decided), ("approval", wanted));
    };
    let (events, ()) = tokio::join!(run(&app, &alice, &agent), decide);
    assert_eq!(events.last().unwrap().data["content"], "As you wish.");
}

#[tokio::test(flavor = "multi_thread")]
async fn recipe_4a_mirrors_the_stream_with_the_service_key() {
    let model = ScriptedModel::start([Turn::Say("Hello, Alice.")]).await;
    let app = on(TestDatabase::create().await, &model).await;
    let agent = app.agent(&[]).await;
    let mut channel = Ear::join(&app, &User::Is(ALICE), &chat()).await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes/4a-broadcast.mjs");
    let mut node = tokio::process::Command::new("node");
    node.arg(script).env("BASE_URL", &app.url).env("SERVICE_KEY", service_key()).env("USER", ALICE.to_string());
    let output = node.env("AGENT", &agent).env("MESSAGE", "Hello").output().await.unwrap();
    assert!(output.status.success(), "{}", words(&output));
    let told = told(&mut channel, |event, _| event == "complete").await;
    assert_eq!(told.first().unwrap().0, "start");
    assert_eq!(told.last().unwrap().1["content"], "Hello, Alice.");
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(seen["seen"], told.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn recipe_4b_tells_the_user_s_channel_of_each_row() {
    let app = App::start().await;
    app.database.execute(include_str!("../../recipes/4b.sql")).await;
    let mut channel = Ear::join(&app, &User::Is(ALICE), &chat()).await;
    let mut bobs = Ear::join(&app, &User::Is(BOB), &format!("chat:{BOB}")).await;
    eventually("the table is known", async || app.get(&User::Is(ALICE), "/rest/v1/chat_messages").await.status == 200)
        .await;
    for (user, words) in [(User::Is(ALICE), "one"), (User::Service, "two")] {
        let row = json!({"user_id": ALICE, "role": "user", "content": words});
        assert_eq!(app.post(&user, "/rest/v1/chat_messages", row).await.status, 201);
        let (event, payload) = channel.next().await;
        assert_eq!((event.as_str(), &payload["content"]), ("message", &json!(words)));
        assert!(payload["id"].is_string(), "{payload}");
    }
    // What is rolled back is told to nobody.
    let roll_back =
        format!("begin; insert into chat_messages (user_id, role, content) values ('{ALICE}', 'user', 'no'); rollback");
    app.database.execute(&roll_back).await;
    app.database
        .execute(&format!("insert into chat_messages (user_id, role, content) values ('{ALICE}', 'user', 'three')"))
        .await;
    assert_eq!(channel.next().await.1["content"], "three");
    assert_eq!(bobs.heard().await, Vec::<(String, Value)>::new());
}
