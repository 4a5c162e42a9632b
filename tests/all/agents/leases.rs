//! Leases of runs are renewed whatever else the host and the database have to do, and a run that waits for a person costs nobody
//! anything.

use behalf_tests::sse::read_events;
use behalf_tests::{ALICE, App, HostProcess, Options, ScriptedModel, Turn, User, eventually, guests, write_grants};
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Connection;

/// Seconds of a lease.
const LEASE: &str = "2";

fn settings(model: &ScriptedModel) -> Vec<(&'static str, String)> {
    let mut settings = model.settings();
    settings.push(("run_lease_seconds", LEASE.to_owned()));
    settings
}

/// Begins a run without waiting for its end, and returns its id.
async fn begin(app: &App, agent: &str) -> String {
    let request = app.request(&User::Is(ALICE), Method::POST, &format!("/api/agents/{agent}/run/stream"));
    let mut response = request.json(&json!({"message": "go"})).send().await.unwrap();
    let first = response.chunk().await.unwrap().unwrap();
    let data = std::str::from_utf8(&first).unwrap().split("data: ").nth(1).unwrap().lines().next().unwrap().to_owned();
    serde_json::from_str::<Value>(&data).unwrap()["run_id"].as_str().unwrap().to_owned()
}

/// Waits until the lease of a run has been renewed for longer than it would have lasted by itself, by its first host.
async fn renewed_for_long(app: &App, run: &str) {
    let renewed = format!(
        "select count(*) from ai.agent_runs where run_id = '{run}' and epoch = 1 and status = 'running'
            and lease_until > now() and lease_until > started_at + interval '6 seconds'"
    );
    eventually("the lease is renewed again and again", async || app.database.value::<i64>(&renewed).await == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_takes_long_keeps_no_other_run_from_being_renewed() {
    let model = ScriptedModel::start([Turn::Hang("a"), Turn::Hang("b")]).await;
    let app = App::with(Options { settings: settings(&model) }).await;
    let agent = app.agent(&[]).await;
    let (slow, other) = (begin(&app, &agent).await, begin(&app, &agent).await);
    // As a tool's transaction that is committed holds the row of its run.
    let mut owner = app.database.owner().await;
    let mut held = owner.begin().await.unwrap();
    let lock = format!("select from ai.agent_runs where run_id = '{slow}' for share");
    sqlx::query(sqlx::AssertSqlSafe(lock)).execute(&mut *held).await.unwrap();
    renewed_for_long(&app, &other).await;
    held.rollback().await.unwrap();
    // Its lease may have run out meanwhile. Then a host has taken it over.
    let goes_on = format!(
        "select count(*) from ai.agent_runs where run_id = '{slow}' and status = 'running' and lease_until > now()"
    );
    eventually("the other run goes on as well", async || app.database.value::<i64>(&goes_on).await == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_use_up_the_connections_keep_no_run_from_being_renewed() {
    let model = ScriptedModel::start([Turn::Hang("a")]).await;
    let mut settings = settings(&model);
    settings.push(("host_connections", "2".to_owned()));
    let app = App::with(Options { settings }).await;
    let agent = app.agent(&[]).await;
    let run = begin(&app, &agent).await;
    let mut owner = app.database.owner().await;
    let mut held = owner.begin().await.unwrap();
    sqlx::query("lock table ai.agent_sessions in access exclusive mode").execute(&mut *held).await.unwrap();
    let path = format!("/api/agents/{agent}/sessions");
    let waiting = async {
        // Each holds a connection until the table is free again, and more of them wait for one.
        join_all((0..6).map(|_| app.get(&User::Is(ALICE), &path))).await
    };
    let renewed = async {
        let stuck = "select count(*) from pg_locks l join pg_database d on d.oid = l.database
            where d.datname = current_database() and not l.granted and l.relation = 'ai.agent_sessions'::regclass";
        eventually("the connections are taken", async || app.database.value::<i64>(stuck).await == 2).await;
        renewed_for_long(&app, &run).await;
        held.rollback().await.unwrap();
    };
    let (answers, ()) = tokio::join!(waiting, renewed);
    assert!(answers.iter().any(|answer| answer.status == 200), "{answers:?}");
}

/// Begins a run at `host` that waits for somebody, and returns its id and the stream of its events.
async fn asking(app: &App, host: &HostProcess, agent: &str) -> (String, reqwest::Response) {
    let request = host.request(&User::Is(ALICE), Method::POST, &format!("/api/agents/{agent}/run/stream"));
    let stream = request.json(&json!({"message": "go"})).send().await.unwrap();
    assert_eq!(stream.status(), 200);
    let pending = "select coalesce(max(run_id), '') from ai.run_approvals where status = 'pending'";
    eventually("somebody is asked", async || !app.database.value::<String>(pending).await.is_empty()).await;
    (app.database.value(pending).await, stream)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_waits_for_a_person_writes_nothing_and_takes_no_place() {
    let insert = format!("insert into notes (owner_id, title, body) values ('{ALICE}', 'agreed', 'once')");
    let call = Turn::Call(vec![("sql", json!({ "sql": insert }))]);
    let model = ScriptedModel::start([call, Turn::Say("Meanwhile."), Turn::Say("Noted.")]).await;
    let mut settings = settings(&model);
    settings.push(("concurrent_runs_user", "1".to_owned()));
    let app = App::with(Options { settings: settings.clone() }).await;
    app.install(guests::PROBE, &write_grants()).await;
    let agent = app.agent(&[]).await;
    let assign = json!({"tool_type": "wasm", "tool_name": "sql", "approval": "always"});
    assert_eq!(app.post(&User::Service, &format!("/api/agents/{agent}/tools"), assign).await.status, 201);
    app.database
        .execute(
            "create table public.looks (at timestamptz default now());
             alter table public.looks enable row level security;
             create function public.note_look() returns trigger language plpgsql security definer as
                $$ begin insert into public.looks default values; return null; end $$;
             create trigger note_look after update on ai.run_approvals for each statement execute function public.note_look()",
        )
        .await;
    let other = HostProcess::start(&app.database, &settings).await;
    let (run, stream) = asking(&app, &other, &agent).await;
    // The only run that alice may have at once waits; it keeps her from no other one.
    let meanwhile = app.ask(&User::Is(ALICE), &agent, "hello").await;
    assert_eq!((meanwhile.status, &meanwhile.json["content"]), (200, &json!("Meanwhile.")), "{}", meanwhile.text);
    let waited = "select count(*) from ai.run_approvals where requested_at < now() - interval '3 seconds'";
    eventually("it has waited for a while", async || app.database.value::<i64>(waited).await == 1).await;
    let looks: i64 = app.database.value("select count(*) from public.looks").await;
    assert_eq!(looks, 0, "nothing is written while it waits");

    // Another host than the run's takes the decision, and tells the run of it.
    let approve = format!("/api/agents/runs/{run}/approve");
    let approved = app.post(&User::Is(ALICE), &approve, json!({"approved": true})).await;
    assert_eq!(approved.status, 200, "{}", approved.text);
    let events = read_events(stream).await;
    assert_eq!(events.last().unwrap().data["content"], "Noted.", "{events:?}");
    let decided = events.iter().find(|event| event.name() == "approval_resolved").unwrap();
    assert_eq!((&decided.data["approved"], &decided.data["status"]), (&json!(true), &json!("approved")));
    let late: bool = app
        .database
        .value(&format!(
            "select max(e.created_at) > max(a.decided_at) + interval '15 seconds'
             from ai.run_events e join ai.run_approvals a using (run_id)
             where run_id = '{run}' and e.event ->> 'event' = 'approval_resolved'"
        ))
        .await;
    assert!(!late, "the run hears of it by a notification, and not at its next look a minute later");
    let written: i64 = app.database.value("select count(*) from public.looks").await;
    assert_eq!(written, 1, "the decision alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_s_decision_expires_by_itself() {
    let call = Turn::Call(vec![("sql", json!({ "sql": "select 1" }))]);
    let model = ScriptedModel::start([call, Turn::Say("Nobody agreed.")]).await;
    let app = App::with(Options { settings: settings(&model) }).await;
    app.install(guests::PROBE, &write_grants()).await;
    let body = json!({"name": "helper", "settings": {"approval_timeout_seconds": 1}});
    let made = app.post(&User::Service, "/api/agents", body).await;
    let agent = made.json["id"].as_str().unwrap_or_else(|| panic!("{}", made.text));
    let assign = json!({"tool_type": "wasm", "tool_name": "sql", "approval": "always"});
    assert_eq!(app.post(&User::Service, &format!("/api/agents/{agent}/tools"), assign).await.status, 201);
    let answer = app.ask(&User::Is(ALICE), agent, "go").await;
    assert_eq!(answer.json["content"], "Nobody agreed.", "{}", answer.text);
    assert_eq!(answer.json["tool_calls"][0]["status"], "error");
    let status: String = app.database.value("select status from ai.run_approvals").await;
    assert_eq!(status, "expired");
}
