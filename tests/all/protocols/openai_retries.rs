//! Clients of `OpenAI`'s API send a request again by themselves: what it did is not done twice, and the run that it began is found again.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use behalf_tests::app::token;
use behalf_tests::breaking_way::{Break, BreakingWay};
use behalf_tests::{
    ALICE, Answer, App, BOB, HostProcess, Options, ScriptedModel, TestDatabase, Turn, User, eventually, guests,
    write_grants,
};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::sync::Notify;

use super::clients::{clients, node, run, words};

const COMPLETIONS: &str = "/v1/chat/completions";
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients");

/// Writes a note that the question names, then fails where the question says so, else answers.
fn noting(request: &Value) -> Turn {
    let messages = request["messages"].as_array().unwrap();
    let question = messages.iter().rfind(|message| message["role"] == "user").unwrap()["content"].to_string();
    let title = question.trim_matches('"').split(' ').next().unwrap();
    match messages.last().unwrap()["role"].as_str() {
        Some("tool") if title.starts_with("failing") => Turn::Refuse(400),
        Some("tool") => Turn::Wait(Duration::from_millis(700), "Noted."),
        _ => insert(title),
    }
}

fn insert(title: &str) -> Turn {
    let sql = format!("insert into notes (owner_id, title, body) values ('{ALICE}', '{title}', 'once')");
    Turn::Call(vec![("sql", json!({ "sql": sql }))])
}

/// A host on which the agent `helper` may write.
async fn app(settings: Vec<(&'static str, String)>) -> App {
    let app = App::with(Options { settings }).await;
    app.install(guests::PROBE, &write_grants()).await;
    app.agent(&["sql"]).await;
    app
}

/// The same, and a second host in a process of its own. Each takes over what the other leaves, after two seconds.
async fn two_hosts(model: &ScriptedModel) -> (App, HostProcess) {
    let mut settings = model.settings();
    settings.push(("run_lease_seconds", "2".to_owned()));
    let app = app(settings.clone()).await;
    let other = HostProcess::start(&app.database, &settings).await;
    (app, other)
}

async fn notes(app: &App, title: &str) -> i64 {
    app.database.value(&format!("select count(*) from notes where title = '{title}'")).await
}

async fn runs(app: &App) -> i64 {
    app.database.value("select count(*) from ai.agent_runs").await
}

fn ask(question: &str) -> Value {
    json!({"model": "helper", "messages": [{"role": "user", "content": question}]})
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

/// The run of a response, whether it is one that an earlier request began, and the answer.
async fn read(response: Response) -> (String, bool, Answer) {
    let run = header(&response, "x-behalf-run-id").to_owned();
    let is_repeat = header(&response, "idempotency-replayed") == "true";
    (run, is_repeat, Answer::of(response).await)
}

/// What each client says of one question, asked with the retries that its package has by itself.
async fn asked(client: &str, url: &str, question: &str) -> Value {
    let mut program = if client == "python" {
        let mut python = Command::new(clients().join("python/bin/python"));
        python.arg(Path::new(SOURCES).join("openai/retries.py"));
        python
    } else {
        let mut program = node();
        program.arg(Path::new(SOURCES).join("openai/retries.mjs")).env("CLIENT", client);
        program
    };
    program.env("BASE_URL", url).env("TOKEN", token(ALICE)).env("QUESTION", question).env("CLIENTS", clients());
    let output = run(&mut program).await;
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{client}: {}", words(&output)))
}

/// A way to a host whose first connection breaks when `cut` says so.
async fn breaking(host: &str, cut: Arc<Notify>) -> String {
    let address = host.strip_prefix("http://").unwrap().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut cut = Some(cut);
        while let Ok((mut client, _)) = listener.accept().await {
            let (address, cut) = (address.clone(), cut.take());
            tokio::spawn(async move {
                let mut host = TcpStream::connect(address).await.unwrap();
                let broken = async {
                    match cut {
                        Some(cut) => cut.notified().await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    _ = copy_bidirectional(&mut client, &mut host) => {}
                    () = broken => {}
                }
            });
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn no_client_repeats_a_run_that_failed() {
    let model = ScriptedModel::answering(noting).await;
    let app = app(model.settings()).await;
    let failed = app.request(&User::Is(ALICE), Method::POST, COMPLETIONS).json(&ask("failing-plain")).send().await;
    let failed = failed.unwrap();
    assert_eq!((header(&failed, "x-should-retry"), header(&failed, "retry-after")), ("false", ""));
    let (run, _, answer) = read(failed).await;
    let error = &answer.json["error"];
    assert_eq!((answer.status, &error["code"], &error["type"]), (400, &json!("run_failed"), &json!("server_error")));
    let row = app.get(&User::Is(ALICE), &format!("/api/agents/runs/{run}")).await;
    assert_eq!((&row.json["status"], &row.json["error"]), (&json!("failed"), &error["message"]), "{}", answer.text);
    for (before, client) in (1..).zip(["openai", "ai", "langchain", "python"]) {
        let title = format!("failing-{client}");
        let said = asked(client, &app.url, &title).await;
        assert_eq!(said["status"], 400, "{client}: {said}");
        assert_eq!((notes(&app, &title).await, runs(&app).await), (1, before + 1), "{client}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_whose_connection_breaks_gets_the_run_that_it_began() {
    let model = ScriptedModel::answering(noting).await;
    let app = app(model.settings()).await;
    for (before, client) in (0..).zip(["openai", "ai", "langchain", "python"]) {
        let cut = Arc::new(Notify::new());
        let url = breaking(&app.url, Arc::clone(&cut)).await;
        let break_it = async {
            eventually("the note is written", async || notes(&app, client).await == 1).await;
            cut.notify_one();
        };
        let (said, ()) = tokio::join!(asked(client, &url, client), break_it);
        assert_eq!(said["text"], "Noted.", "{client}: {said}");
        assert_eq!((notes(&app, client).await, runs(&app).await), (1, before + 1), "{client}");
    }
    eventually("a run that was answered a while ago is not given again", async || {
        app.database.value::<i64>("select count(*) from ai.awaited_runs").await == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_question_of_two_clients_that_wait_is_two_questions() {
    let model = ScriptedModel::answering(noting).await;
    let app = app(model.settings()).await;
    let alice = || app.post(&User::Is(ALICE), COMPLETIONS, ask("twice"));
    let (one, two) = tokio::join!(alice(), alice());
    assert!(one.status == 200 && two.status == 200 && one.json["id"] != two.json["id"], "{} {}", one.text, two.text);
    assert_eq!((runs(&app).await, notes(&app, "twice").await), (2, 2));
    // And what was answered is asked anew.
    let again = alice().await;
    assert!(again.json["id"] != one.json["id"] && again.json["id"] != two.json["id"], "{}", again.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_host_is_killed_gets_its_run_again_from_another() {
    let turns = [insert("killed"), Turn::Wait(Duration::from_mins(1), "never heard"), Turn::Say("Noted.")];
    let model = ScriptedModel::start(turns).await;
    let (app, mut other) = two_hosts(&model).await;
    let send = |request: RequestBuilder| request.json(&ask("killed")).send();
    let first = tokio::spawn(send(other.request(&User::Is(ALICE), Method::POST, COMPLETIONS)));
    eventually("the model is asked for its answer", async || model.requests().len() == 2).await;
    other.kill();
    assert!(first.await.unwrap().is_err(), "the connection broke");
    eventually("the database sees that the host is gone", async || {
        app.database.value::<i64>("select count(*) from ai.awaited_runs where ai.is_host_gone(host)").await == 1
    })
    .await;
    let again = send(app.request(&User::Is(ALICE), Method::POST, COMPLETIONS)).await.unwrap();
    let (run, is_repeat, answer) = read(again).await;
    assert_eq!((answer.status, is_repeat), (200, true), "{}", answer.text);
    assert_eq!(answer.json["choices"][0]["message"]["content"], "Noted.");
    assert_eq!((runs(&app).await, notes(&app, "killed").await), (1, 1));
    assert_eq!(app.database.value::<String>("select run_id from ai.agent_runs").await, run);
}

/// The answer may have been on its way when the host died, and then nobody got it.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_dies_as_it_answers_leaves_the_run_to_the_next_try() {
    let model = ScriptedModel::answering(noting).await;
    let (app, mut other) = two_hosts(&model).await;
    let send = |request: RequestBuilder| request.json(&ask("dying")).send();
    let first = send(other.request(&User::Is(ALICE), Method::POST, COMPLETIONS)).await.unwrap();
    assert_eq!(first.status(), 200);
    other.kill();
    let (run, _, _) = read(first).await;
    eventually("the database sees that the host is gone", async || {
        app.database.value::<i64>("select count(*) from ai.awaited_runs where ai.is_host_gone(host)").await == 1
    })
    .await;
    let again = send(app.request(&User::Is(ALICE), Method::POST, COMPLETIONS)).await.unwrap();
    let (same, is_repeat, answer) = read(again).await;
    assert_eq!((answer.status, is_repeat, same), (200, true, run), "{}", answer.text);
    assert_eq!((runs(&app).await, notes(&app, "dying").await), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_beginning_got_no_answer_is_begun_once() {
    let model = ScriptedModel::answering(noting).await;
    let database = TestDatabase::create().await;
    let way = BreakingWay::to(&database.host_url()).await;
    let mut settings = model.settings();
    settings.push(("host_database_url", way.address(&database.host_url())));
    let app = App::on(database, Options { settings }).await;
    app.install(guests::PROBE, &write_grants()).await;
    app.agent(&["sql"]).await;
    for (place, title) in [(Break::After, "begun-after"), (Break::Before, "begun-before")] {
        way.break_at_commit_of(title, place);
        // The official client, which sends its request again where it may.
        let said = asked("openai", &app.url, title).await;
        assert!(way.has_broken(), "{title}: the way held, so this shows nothing");
        assert_eq!(said["text"], "Noted.", "{title}: {said}");
        assert_eq!(notes(&app, title).await, 1, "{title}");
    }
    assert_eq!(runs(&app).await, 2);
    // Where the server cannot be asked, the client is told not to try again.
    way.break_at_commit_of("begun-unknown", Break::AfterAndAll);
    let answer = app.post(&User::Is(ALICE), COMPLETIONS, ask("begun-unknown")).await;
    assert_eq!((answer.status, &answer.json["error"]["code"]), (400, &json!("run_failed")), "{}", answer.text);
    assert!(answer.text.contains("nobody knows"), "{}", answer.text);
    way.mend();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_stops_tells_its_clients_to_ask_again() {
    let turns = [insert("stopped"), Turn::Wait(Duration::from_mins(1), "never heard"), Turn::Say("Noted.")];
    let model = ScriptedModel::start(turns).await;
    let (app, mut other) = two_hosts(&model).await;
    let send = |request: RequestBuilder| request.json(&ask("stopped")).send();
    let first = tokio::spawn(send(other.request(&User::Is(ALICE), Method::POST, COMPLETIONS)));
    eventually("the model is asked for its answer", async || model.requests().len() == 2).await;
    tokio::task::spawn_blocking(move || other.terminate()).await.unwrap();
    let first = first.await.unwrap().expect("the client hears of it");
    assert_eq!((header(&first, "retry-after"), header(&first, "x-should-retry")), ("1", ""));
    let (run, _, told) = read(first).await;
    assert_eq!((told.status, &told.json["error"]["code"]), (503, &json!("run_goes_on")), "{}", told.text);
    assert!(told.json["error"]["message"].as_str().unwrap().contains(&run), "{}", told.text);
    let again = send(app.request(&User::Is(ALICE), Method::POST, COMPLETIONS)).await.unwrap();
    let (same, _, answer) = read(again).await;
    assert_eq!((answer.status, same), (200, run), "{}", answer.text);
    assert_eq!((runs(&app).await, notes(&app, "stopped").await), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotency_key_names_a_run_for_as_long_as_it_is_kept() {
    let model = ScriptedModel::answering(noting).await;
    let app = app(model.settings()).await;
    let keyed = |body: Value| {
        let request = app.request(&User::Is(ALICE), Method::POST, COMPLETIONS).header("idempotency-key", "k");
        async move { read(request.json(&body).send().await.unwrap()).await }
    };
    let ((one, _, first), (two, _, _)) = tokio::join!(keyed(ask("keyed")), keyed(ask("keyed")));
    assert!(first.status == 200 && one == two, "{}", first.text);
    let (three, is_repeat, later) = keyed(ask("keyed")).await;
    assert!(three == one && is_repeat, "{}", later.text);
    assert_eq!(later.json["choices"], first.json["choices"]);
    let mut streamed = ask("keyed");
    streamed["stream"] = json!(true);
    let (_, _, other) = keyed(streamed).await;
    assert_eq!(other.status, 422, "another body: {}", other.text);
    assert!(other.json["error"]["message"].as_str().unwrap().contains("Idempotency-Key"), "{}", other.text);
    assert_eq!((runs(&app).await, notes(&app, "keyed").await), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_breaks_is_sent_again_from_its_beginning() {
    let model = ScriptedModel::start([insert("streamed"), Turn::Wait(Duration::from_secs(1), "All of it.")]).await;
    let app = app(model.settings()).await;
    let mut body = ask("streamed");
    body["stream"] = json!(true);
    let send = |user: &User| app.request(user, Method::POST, COMPLETIONS).json(&body).send();
    let alice = User::Is(ALICE);
    let mut first = send(&alice).await.unwrap();
    let run = header(&first, "x-behalf-run-id").to_owned();
    first.chunk().await.unwrap().unwrap();
    eventually("the model is asked for its answer", async || model.requests().len() == 2).await;
    drop(first);
    eventually("it is seen that the client went away", async || {
        app.database.value::<i64>("select count(*) from ai.awaited_runs where host is null").await == 1
    })
    .await;
    let (others, is_repeat, bobs) = read(send(&User::Is(BOB)).await.unwrap()).await;
    assert!(bobs.status == 200 && others != run && !is_repeat, "it is alice's: {}", bobs.text);
    let (same, is_repeat, again) = read(send(&alice).await.unwrap()).await;
    assert!(same == run && is_repeat, "{}", again.text);
    assert!(again.text.contains("All of it.") && again.text.ends_with("data: [DONE]\n\n"), "{}", again.text);
    assert_eq!((runs(&app).await, notes(&app, "streamed").await), (2, 1));
}
