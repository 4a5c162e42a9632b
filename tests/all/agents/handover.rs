//! A host that stops tells its clients where their runs go on, and a run that no host finishes ends like every other.

use std::time::Duration;

use behalf_tests::sse::{Event, read_events};
use behalf_tests::{
    ALICE, Answer, App, HostProcess, Options, ScriptedModel, Turn, User, eventually, guests, write_grants,
};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Connection;

fn settings(model: &ScriptedModel) -> Vec<(&'static str, String)> {
    let mut settings = model.settings();
    settings.push(("run_lease_seconds", "2".to_owned()));
    settings
}

fn insert(title: &str) -> Turn {
    let sql = format!("insert into notes (owner_id, title, body) values ('{ALICE}', '{title}', 'once')");
    Turn::Call(vec![("sql", json!({ "sql": sql }))])
}

/// A host with an agent that may write, and another host that will not stay.
async fn hosts(model: &ScriptedModel) -> (App, HostProcess, String) {
    let app = App::with(Options { settings: settings(model) }).await;
    app.install(guests::PROBE, &write_grants()).await;
    let agent = app.agent(&["sql"]).await;
    let other = HostProcess::start(&app.database, &settings(model)).await;
    (app, other, agent)
}

async fn stop(mut host: HostProcess) {
    tokio::task::spawn_blocking(move || host.terminate()).await.unwrap();
}

async fn follow(app: &App, run: &str, after: &str) -> Vec<Event> {
    let path = format!("/api/agents/runs/{run}/events");
    let request = app.request(&User::Is(ALICE), Method::GET, &path).header("last-event-id", after);
    read_events(request.send().await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_host_stops_is_named_with_the_way_to_it() {
    let model = ScriptedModel::start([Turn::Wait(Duration::from_mins(1), "never"), Turn::Say("Elsewhere.")]).await;
    let (app, other, agent) = hosts(&model).await;
    let request = other.request(&User::Is(ALICE), Method::POST, &format!("/api/agents/{agent}/run"));
    let waiting = tokio::spawn(request.json(&json!({"message": "go"})).send());
    eventually("the model is asked", async || model.requests().len() == 1).await;
    stop(other).await;
    let told = waiting.await.unwrap().expect("the client hears of it");
    let header = |name: &str| told.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    // The same request would begin another run.
    assert_eq!((header("retry-after"), header("x-should-retry").as_deref()), (None, Some("false")));
    let told = Answer::of(told).await;
    let run: String = app.database.value("select run_id from ai.agent_runs").await;
    assert_eq!((told.status, told.json["run_id"].as_str()), (503, Some(run.as_str())), "{}", told.text);
    let (of_run, of_events) = (told.json["run"].as_str().unwrap(), told.json["events"].as_str().unwrap());
    assert_eq!(of_events, format!("/api/agents/runs/{run}/events"));
    assert_eq!(follow(&app, &run, "0").await.last().unwrap().data["content"], "Elsewhere.");
    assert_eq!(app.get(&User::Is(ALICE), of_run).await.json["status"], "completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_a_host_that_stops_ends_with_where_it_goes_on() {
    let model = ScriptedModel::start([Turn::Hang("Well"), Turn::Say("Elsewhere.")]).await;
    let (app, other, agent) = hosts(&model).await;
    // That the host goes away does not mean that the client did.
    let path = format!("/api/agents/{agent}/run/stream?on_disconnect=cancel");
    let request = other.request(&User::Is(ALICE), Method::POST, &path).json(&json!({"message": "go"}));
    let reading = tokio::spawn(async move { read_events(request.send().await.unwrap()).await });
    eventually("the model is asked", async || model.requests().len() == 1).await;
    stop(other).await;
    let events = reading.await.unwrap();
    let (last, before) = events.split_last().unwrap();
    let run: String = app.database.value("select run_id from ai.agent_runs").await;
    assert_eq!((last.name(), last.data["run_id"].as_str()), ("disconnected", Some(run.as_str())), "{events:?}");
    assert_eq!(last.data["resume"], format!("/api/agents/runs/{run}/events"));
    assert!(last.id.is_none(), "it is no event of the run: {last:?}");
    let seen = before.last().unwrap().id.clone().unwrap();
    let rest = follow(&app, &run, &seen).await;
    assert!(rest.iter().all(|event| event.id.as_ref() != Some(&seen)), "{rest:?}");
    assert_eq!((rest.last().unwrap().name(), &rest.last().unwrap().data["status"]), ("complete", &json!("completed")));
}

/// The names of an event's members.
fn members(event: &Value) -> Vec<&str> {
    event.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_lost_all_its_hosts_ends_like_every_other_with_what_it_did() {
    let model = ScriptedModel::start([insert("kept"), insert("lost"), Turn::Refuse(400)]).await;
    let (app, mut other, agent) = hosts(&model).await;
    // The second insert waits for a lock when the host dies.
    app.database
        .execute(
            "create function public.hold_back() returns trigger language plpgsql security definer as
                $$ begin perform pg_advisory_xact_lock(42); return new; end $$;
             create trigger hold_back before insert on public.notes for each row when (new.title = 'lost')
                execute function public.hold_back()",
        )
        .await;
    let mut owner = app.database.owner().await;
    sqlx::query("select pg_advisory_lock(42)").execute(&mut owner).await.unwrap();
    let request = other.request(&User::Is(ALICE), Method::POST, &format!("/api/agents/{agent}/run"));
    let waiting = tokio::spawn(request.json(&json!({"message": "go"})).send());
    let begun = "select count(*) from ai.run_journal where entry ->> 'kind' = 'begun'";
    eventually("the second insert is begun", async || app.database.value::<i64>(begun).await == 2).await;
    app.database.execute("update ai.agent_runs set takeovers = 5").await;
    other.kill();
    assert!(waiting.await.unwrap().is_err());
    owner.close().await.unwrap();
    let run: String = app.database.value("select run_id from ai.agent_runs").await;
    let events = follow(&app, &run, "0").await;
    let last = &events.last().unwrap().data;
    assert_eq!((&last["event"], &last["status"]), (&json!("complete"), &json!("failed")), "{last}");
    let calls = last["tool_calls"].as_array().unwrap();
    let status = |call: &Value| call["status"].as_str().unwrap().to_owned();
    assert_eq!(calls.iter().map(status).collect::<Vec<_>>(), ["success", "unknown"], "{last}");
    assert!(calls[1]["arguments"]["sql"].as_str().unwrap().contains("lost"), "{last}");
    assert_eq!(last["usage"]["total_tokens"], 36, "both turns are counted: {last}");
    let row = app.get(&User::Is(ALICE), &format!("/api/agents/runs/{run}")).await;
    assert_eq!((&row.json["tool_calls"], &row.json["steps"]), (&last["tool_calls"], &last["steps"]));
    // The event is the one that a run has which failed by itself.
    let failed = app.ask(&User::Is(ALICE), &agent, "fail").await;
    let other_run = failed.json["run_id"].as_str().unwrap_or_else(|| panic!("{}", failed.text));
    let of_other = follow(&app, other_run, "0").await;
    assert_eq!(members(last), members(&of_other.last().unwrap().data));
    let names = |events: &[Event]| events.iter().rev().take(2).map(|event| event.name().to_owned()).collect::<Vec<_>>();
    assert_eq!(names(&events), names(&of_other));
}
